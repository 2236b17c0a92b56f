package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/chart"
	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

func (a *app) groupChartCommand() *cobra.Command {
	var (
		from, to string
		output   target
	)
	c := &cobra.Command{
		Use:   "chart GROUP",
		Short: "Draw a group's members over time, as SVG",
		Long: `Draws how many members a group had over time, and how many joined and left, as an SVG that is
light or dark as its reader's screen is. The log decides all of it: the same events give the same picture. With --json,
the numbers.`,
		Example:           "  grouplog group chart chess -o chess.svg\n  grouplog group chart chess --from 2020-01-01 --to 2020-12-31 -o 2020.svg",
		Args:              exactly("GROUP"),
		ValidArgsFunction: a.completeGroups,
	}
	c.Flags().StringVar(&from, "from", "", "from this day or time on (`WHEN`)")
	c.Flags().StringVar(&to, "to", "", "up to this day or time (`WHEN`), with it")
	output.addTo(c)
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		begin, end, err := parseTimes(from, to)
		if err != nil {
			return usage(err)
		}
		return a.withLog(ctx, func(log eventstore.Store) error {
			return a.drawGroup(ctx, log, args[0], begin, end, &output)
		})
	})
	return c
}

// parseTimes reads --from and --to where they are times; zero where they are not given.
func parseTimes(from, to string) (begin, end time.Time, err error) {
	first, err := parseBound("--from", from)
	if err != nil {
		return begin, end, err
	}
	last, err := parseBound("--to", to)
	switch {
	case err != nil:
		return begin, end, err
	case first.position+last.position > 0:
		return begin, end, errors.New("--from and --to are days or times here, not positions")
	case from != "" && to != "" && !first.begin.Before(last.end):
		return begin, end, fmt.Errorf("the times from %s to %s are none", from, to)
	}
	return first.begin, last.end, nil
}

func (a *app) drawGroup(ctx context.Context, log eventstore.Store, group string, begin, end time.Time, output *target) error {
	if err := mustExist(ctx, log, group); err != nil {
		return err
	}
	series, err := chart.Read(group, log.ReadStream(ctx, domain.GroupStream(group), 0))
	if err != nil {
		return err
	}
	series = series.Between(begin, end)
	err = a.writeTo(output, func(w io.Writer) error {
		if a.json {
			return render.JSON(w, series)
		}
		_, err := w.Write(series.SVG())
		return err
	})
	if err == nil && output.path != "" {
		a.say("%s is drawn to %s", group, output.path)
	}
	return err
}
