package cli

import (
	"context"
	"iter"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/groupview"
)

// addAt gives a question the flag --at.
func addAt(c *cobra.Command, at *moment) {
	c.Flags().Var(at, "at", "answer as of then: `WHEN` "+whenHelp)
	must(c.RegisterFlagCompletionFunc("at", cobra.NoFileCompletions))
}

// answers is who is asked: the engine about the present, or a past.
type answers interface {
	Group(ctx context.Context, groupID string) (groupview.Group, error)
	Groups(ctx context.Context, filter groupview.GroupFilter) iter.Seq2[groupview.Group, error]
	Members(ctx context.Context, groupID string, filter groupview.MemberFilter) iter.Seq2[groupview.Member, error]
	JoinedGroups(ctx context.Context, userID string) iter.Seq2[groupview.JoinedGroup, error]
	Applications(ctx context.Context, userID string, filter groupview.ApplicationFilter) (groupview.ApplicationPage, error)
	GroupApplications(ctx context.Context, groupID string, filter groupview.ApplicationFilter) iter.Seq2[groupview.Application, error]
}

// withAnswers opens the log for a question about the present, or about the past.
func (a *app) withAnswers(ctx context.Context, at *moment, f func(answers, eventstore.Store) error) error {
	return a.withRows(ctx, func(engine *grouplog.Engine) error {
		if !at.given {
			return f(engine, engine.Log())
		}
		asOf, err := engine.AsOf(ctx, at.Moment)
		if err != nil {
			return err
		}
		return f(asOf, engine.Log())
	})
}
