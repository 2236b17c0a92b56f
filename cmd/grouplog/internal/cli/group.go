package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/groupview"
)

func (a *app) groupCommand() *cobra.Command {
	c := parent(&cobra.Command{Use: "group", Short: "Groups: which there are, and what one is"})
	c.AddCommand(a.groupListCommand(), a.groupShowCommand(), a.groupChartCommand())
	return c
}

func (a *app) groupListCommand() *cobra.Command {
	var (
		groupType string
		filter    groupview.GroupFilter
		at        moment
	)
	c := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List groups by their IDs",
		Example: "  grouplog group ls --type Public\n  grouplog group ls --all --json\n  grouplog group ls --at 2020-06-30",
		Args:    exactly(),
	}
	c.Flags().StringVar(&groupType, "type", "", "only groups of this `TYPE`")
	c.Flags().StringVar(&filter.Prefix, "prefix", "", "only groups whose ID begins with this `TEXT`")
	c.Flags().BoolVar(&filter.IncludeDismissed, "all", false, "also those that were dismissed")
	addAt(c, &at)
	must(c.RegisterFlagCompletionFunc("type", completeTypes))
	c.RunE = a.run(func(ctx context.Context, _ []string) error {
		filter.Type = domain.GroupType(groupType)
		return a.withAnswers(ctx, &at, func(asked answers, _ eventstore.Store) error {
			return writeGroups(ctx, a, asked, filter)
		})
	})
	return c
}

// noGroups says that no group is wanted. A type that is not built in may be one of an
// application's own, or be misspelt.
func noGroups(filter groupview.GroupFilter) string {
	types := domain.Classic().Types()
	if filter.Type == "" || slices.Contains(types, filter.Type) {
		return "no groups"
	}
	return fmt.Sprintf("no groups of the type %q; built in are %s", filter.Type, strings.ReplaceAll(strings.Trim(fmt.Sprint(types), "[]"), " ", ", "))
}

func writeGroups(ctx context.Context, a *app, asked answers, filter groupview.GroupFilter) error {
	columns := []string{"group", "type", "owner", "#members", "join", "created"}
	if filter.IncludeDismissed {
		columns = append(columns, "ended")
	}
	columns = append(columns, "name") // at the end: a narrow terminal cuts it first
	table := render.NewTable(columns...)
	return writeList(a, asked.Groups(ctx, filter), table, func(g groupview.Group) {
		row := []any{g.GroupID, string(g.GroupType), g.Owner, render.Number(g.MemberCount), g.JoinOption.String(), render.Time(g.CreatedAt)}
		if filter.IncludeDismissed {
			row = append(row, render.Time(g.EndedAt))
		}
		table.Row(append(row, g.Name)...)
	}, noGroups(filter))
}

func (a *app) groupShowCommand() *cobra.Command {
	var at moment
	c := &cobra.Command{
		Use:               "show GROUP",
		Short:             "Show everything about a group but its members",
		Example:           "  grouplog group show chess\n  grouplog group show chess --at position:12345",
		Args:              exactly("GROUP"),
		ValidArgsFunction: a.completeGroups,
	}
	addAt(c, &at)
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		return a.withAnswers(ctx, &at, func(asked answers, _ eventstore.Store) error {
			group, err := asked.Group(ctx, args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(group)
			}
			return writeGroup(a.out, &group)
		})
	})
	return c
}

// writeGroup writes what a group has, and leaves out what it does not.
func writeGroup(w io.Writer, g *groupview.Group) error {
	var facts [][2]string
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, [2]string{name, render.Line(value)})
		}
	}
	status := g.Status
	if !g.EndedAt.IsZero() {
		status = fmt.Sprintf("dismissed %s (%s)", utc(g.EndedAt), g.Cause)
	}
	add("group", g.GroupID)
	add("name", g.Name)
	add("type", string(g.GroupType))
	add("status", status)
	add("owner", g.Owner)
	members := render.Number(g.MemberCount)
	if g.MemberCount > 0 {
		members += fmt.Sprintf(" (%s, %s, %s)", render.Count(g.Roles.Owner, "owner", "owners"),
			render.Count(g.Roles.Admin, "admin", "admins"), render.Count(g.Roles.Member, "plain member", "plain members"))
	}
	add("members", members)
	add("join option", g.JoinOption.String())
	add("invite option", g.InviteOption.String())
	if g.Pending > 0 {
		add("applications", render.Number(g.Pending)+" pending")
	}
	if g.AllMuted {
		add("muted", "all plain members")
	}
	add("introduction", g.Introduction)
	add("notification", g.Notification)
	add("face URL", g.FaceURL)
	for _, key := range slices.Sorted(maps.Keys(g.Custom)) {
		add("custom "+key, g.Custom[key])
	}
	for _, key := range slices.Sorted(maps.Keys(g.Attributes)) {
		add("attribute "+key, g.Attributes[key])
	}
	for _, topic := range g.Topics {
		add("topic", topic.ID+"  "+topic.Name)
	}
	add("created", utc(g.CreatedAt))
	add("last event", fmt.Sprintf("%s, at position %d", utc(g.LastEventAt), g.Position))
	add("history", fmt.Sprintf("%s, group number %d with this ID", render.Count(g.Version, "event", "events"), g.Incarnation))
	return writeFacts(w, facts)
}

func utc(t time.Time) string { return render.Time(t) + " UTC" }

// writeFacts writes names and values in two columns.
func writeFacts(w io.Writer, facts [][2]string) error {
	width := 0
	for _, fact := range facts {
		width = max(width, len(fact[0]))
	}
	var b strings.Builder
	for _, fact := range facts {
		fmt.Fprintf(&b, "%-*s  %s\n", width, fact[0], fact[1])
	}
	_, err := io.WriteString(w, b.String())
	return err
}
