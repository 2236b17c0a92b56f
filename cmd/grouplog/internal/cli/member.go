package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/groupview"
)

func (a *app) memberCommand() *cobra.Command {
	c := parent(&cobra.Command{Use: "member", Short: "Members of a group"})
	c.AddCommand(a.memberListCommand())
	return c
}

func (a *app) memberListCommand() *cobra.Command {
	var (
		role string
		at   moment
	)
	c := &cobra.Command{
		Use:               "ls GROUP",
		Aliases:           []string{"list"},
		Short:             "List the members of a group in the order of joining",
		Example:           "  grouplog member ls chess\n  grouplog member ls chess --role admin --json\n  grouplog member ls chess --at 2018-12-31T23:59:59Z",
		Args:              exactly("GROUP"),
		ValidArgsFunction: a.completeGroups,
	}
	c.Flags().StringVar(&role, "role", "", "only those with this `ROLE`: owner, admin or member")
	must(c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions([]string{"owner", "admin", "member"}, cobra.ShellCompDirectiveNoFileComp)))
	addAt(c, &at)
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		var filter groupview.MemberFilter
		if err := filter.Role.UnmarshalText([]byte(role)); err != nil {
			return usage(err)
		}
		table := render.NewTable("user", "role", "joined", "name card", "muted until")
		return a.withAnswers(ctx, &at, func(asked answers, _ eventstore.Store) error {
			return writeList(a, asked.Members(ctx, args[0], filter), table, func(m groupview.Member) {
				table.Row(m.UserID, m.Role.String(), render.Time(m.JoinedAt), m.NameCard, render.Time(m.MutedUntil))
			}, nobody(filter.Role, args[0]))
		})
	})
	return c
}

func nobody(role domain.Role, group string) string {
	if role == domain.NotMember {
		return "nobody is in " + group
	}
	return "nobody is " + role.String() + " in " + group
}
