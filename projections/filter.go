package projections

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// Filter says which events are wanted: those that every field that is not empty lets
// through.
type Filter struct {
	Groups []string // IDs
	Actors []string // user IDs of who acted
	Types  []string // as in "member.joined", or "member.*" for all that begin so
}

// Validate reports types that no event has.
func (f *Filter) Validate() error {
	var mistakes []error
	for _, pattern := range f.Types {
		known := slices.ContainsFunc(domain.Events(), func(e domain.Event) bool { return matches(pattern, e.EventName()) })
		if !known {
			mistakes = append(mistakes, fmt.Errorf("no event is of the type %q; types are as in \"member.joined\", or \"member.*\"", pattern))
		}
	}
	return errors.Join(mistakes...)
}

// Wants reports whether a record passes.
func (f *Filter) Wants(r *eventstore.Record) bool {
	if len(f.Groups) > 0 {
		group, ok := domain.GroupOf(r.Stream)
		if !ok || !slices.Contains(f.Groups, group) {
			return false
		}
	}
	return (len(f.Actors) == 0 || slices.Contains(f.Actors, r.Actor)) &&
		(len(f.Types) == 0 || readAs(r, func(name string) bool {
			return slices.ContainsFunc(f.Types, func(pattern string) bool { return matches(pattern, name) })
		}))
}

// readAs asks for the name of what a record says: today's, whatever it was written as.
func readAs(r *eventstore.Record, wanted func(name string) bool) bool {
	if names := domain.ReadAs(r.Type, r.Schema); names != nil {
		return slices.ContainsFunc(names, wanted)
	}
	return wanted(r.Type)
}

// matches compares the name of an event with a pattern: a name, or "x.*".
func matches(pattern, name string) bool {
	prefix, all := strings.CutSuffix(pattern, "*")
	if all && strings.HasSuffix(prefix, ".") {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}
