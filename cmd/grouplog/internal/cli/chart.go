package cli

import (
	"context"
	"errors"
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
		between reach
		output  target
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
	between.addTo(c, onlyTimes, "day or time")
	output.addTo(c)
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		if err := errors.Join(between.check(), between.mustHaveBegun(time.Now())); err != nil {
			return usage(err)
		}
		return a.withLog(ctx, func(log eventstore.Store) error {
			return a.drawGroup(ctx, log, args[0], &between, &output)
		})
	})
	return c
}

func (a *app) drawGroup(ctx context.Context, log eventstore.Store, group string, between *reach, output *target) error {
	if err := mustExist(ctx, log, group); err != nil {
		return err
	}
	series, err := chart.Read(group, log.ReadStream(ctx, domain.GroupStream(group), 0))
	if err != nil {
		return err
	}
	series = series.Between(between.from.begin(), between.to.end())
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
