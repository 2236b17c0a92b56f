package cli

import (
	"context"
	"errors"
	"iter"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/groupview"
)

func (a *app) applicationCommand() *cobra.Command {
	c := parent(&cobra.Command{Use: "application", Short: "Applications to join groups"})
	c.AddCommand(a.applicationListCommand())
	return c
}

func (a *app) applicationListCommand() *cobra.Command {
	var (
		as, group string
		pending   bool
		at        moment
	)
	c := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List applications, newest first",
		Long: `Lists applications, pending and handled, newest first: those that a user may decide
now, in whichever group, or those to one group.`,
		Example: "  grouplog application ls --as alice --pending\n  grouplog application ls --group chess\n  grouplog application ls --group chess --at 2020-06-30",
		Args:    exactly(),
	}
	c.Flags().StringVar(&as, "as", "", "those that this `USER` may decide")
	c.Flags().StringVar(&group, "group", "", "those to this `GROUP`")
	c.Flags().BoolVar(&pending, "pending", false, "only those that wait to be decided")
	addAt(c, &at)
	must(c.RegisterFlagCompletionFunc("as", a.completeUsers))
	must(c.RegisterFlagCompletionFunc("group", a.completeGroups))
	c.RunE = a.run(func(ctx context.Context, _ []string) error {
		if as == "" && group == "" {
			return usage(errors.New("whose applications: give --as USER, --group GROUP, or both"))
		}
		var filter groupview.ApplicationFilter
		if pending {
			filter.Select = groupview.PendingApplications
		}
		return a.withAnswers(ctx, &at, func(asked answers, log eventstore.Store) error {
			return a.writeApplications(ctx, asked, log, as, group, filter)
		})
	})
	return c
}

func (a *app) writeApplications(ctx context.Context, asked answers, log eventstore.Store, as, group string, filter groupview.ApplicationFilter) error {
	unread := 0
	applications := asked.GroupApplications(ctx, group, filter)
	if as != "" {
		if group != "" {
			if _, err := asked.Group(ctx, group); err != nil {
				return err
			}
		}
		filter.GroupID = group
		applications = orUnknown(ctx, log, as, mine(ctx, asked, as, filter, &unread))
	}
	table := render.NewTable("application", "group", "from", "user", "state", "at", "by", "message")
	err := writeList(a, applications, table, func(ap groupview.Application) {
		text, user := ap.Message, ap.UserID
		if ap.Reason != "" {
			text += " → " + ap.Reason
		}
		if ap.Kind == domain.JoinRequest {
			user = ""
		}
		table.Row(ap.ApplicationID, ap.GroupID, ap.From, user, ap.State.String(), render.Time(ap.At), ap.HandledBy, text)
	}, "no applications")
	if err == nil && as != "" && !a.json {
		a.say("%s has %s", as, render.Count(unread, "unread application", "unread applications"))
	}
	return err
}

// mine is the list of applications that a user may decide, page after page.
func mine(ctx context.Context, asked answers, as string, filter groupview.ApplicationFilter, unread *int) iter.Seq2[groupview.Application, error] {
	filter.Limit = groupview.MaxLimit
	return func(yield func(groupview.Application, error) bool) {
		for {
			page, err := asked.Applications(ctx, as, filter)
			if err != nil {
				yield(groupview.Application{}, err)
				return
			}
			*unread = page.UnreadCount
			for _, application := range page.Applications {
				if !yield(application, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			filter.Cursor = page.Next
		}
	}
}
