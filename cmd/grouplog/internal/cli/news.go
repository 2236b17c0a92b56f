package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
)

// newsroom collects what listeners are told, each in a goroutine of its own, and puts
// it in the order of the log, which is the same every time.
type newsroom struct {
	mu   sync.Mutex
	told map[string]*told // by the notification's ID
}

// told is a notification and who received it.
type told struct {
	grouplog.Notification
	users []string
}

// hear is a user's listener.
func (s *stage) hear(user string) func(grouplog.Notification) {
	return func(n grouplog.Notification) {
		s.news.mu.Lock()
		defer s.news.mu.Unlock()
		if s.news.told == nil {
			s.news.told = map[string]*told{}
		}
		if s.news.told[n.ID] == nil {
			s.news.told[n.ID] = &told{Notification: n}
		}
		s.news.told[n.ID].users = append(s.news.told[n.ID].users, user)
	}
}

// take is what has been told since it was called last.
func (r *newsroom) take() []*told {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Collect(maps.Values(r.told))
	r.told = nil
	slices.SortFunc(all, func(a, b *told) int {
		return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.place(), b.place()))
	})
	for _, t := range all {
		slices.SortFunc(t.users, func(a, b string) int { return cmp.Compare(slices.Index(cast, a), slices.Index(cast, b)) })
	}
	return all
}

// place is the notification's place among those of its event: the end of its ID.
func (t *told) place() int {
	_, last, _ := strings.Cut(t.ID, "/")
	n, _ := strconv.Atoi(last)
	return n
}

// text is a notification as a call: its name, and what it tells.
func (t *told) text() string {
	parts := []string{t.GroupID}
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	for _, m := range t.Members {
		add("%s", m.UserID)
	}
	for _, c := range t.Changes {
		add("%s=%s", c.Field, c.Value)
	}
	for _, key := range slices.Sorted(maps.Keys(t.Attributes)) {
		add("%s=%s", key, t.Attributes[key])
	}
	if t.Muted != nil {
		add("muted=%t", *t.Muted)
	}
	if t.Agreed != nil {
		add("agreed=%t", *t.Agreed)
	}
	for _, m := range t.Members {
		if !m.MutedUntil.IsZero() {
			add("muted until %s", m.MutedUntil.Format("15:04"))
		}
	}
	for _, text := range []string{t.Message, t.Reason, string(t.Data)} {
		if text != "" {
			add("%q", text)
		}
	}
	if t.By != nil {
		add("by %s", t.By.UserID)
	}
	return fmt.Sprintf("%s(%s)", t.Kind, render.Line(strings.Join(parts, ", ")))
}
