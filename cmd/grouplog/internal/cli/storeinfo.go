package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/jetstream"
)

// storeInfo is what there is to know of where a log is kept, in the wire form.
type storeInfo struct {
	OK      bool                `json:"ok"`
	LogID   string              `json:"logID"`
	Kind    string              `json:"kind"` // "sqlite" or "jetstream"
	File    string              `json:"file"` // the log, or its replica
	Events  eventstore.Position `json:"events"`
	Created *time.Time          `json:"created,omitempty"`
}

func (a *app) storeInfoCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "info",
		Short:   "Say which log it is, where it is kept, and how far it goes",
		Example: "  grouplog store info --db archive.db\n  grouplog store info --store nats://n1:4222/chess?sync=always --json",
		Args:    exactly(),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.withLog(ctx, func(log eventstore.Store) error { return a.storeInfo(ctx, log) })
		}),
	}
}

func (a *app) storeInfo(ctx context.Context, log eventstore.Store) error {
	head, err := log.Head(ctx)
	if err != nil {
		return err
	}
	info := storeInfo{OK: true, LogID: log.ID(), Kind: "sqlite", File: log.(interface{ Path() string }).Path(), Events: head}
	if _, ok := log.(*jetstream.Store); ok {
		info.Kind = "jetstream"
	}
	if made, ok := log.(interface{ Created() time.Time }); ok {
		created := made.Created()
		info.Created = &created
	}
	if a.json {
		return a.writeJSON(info)
	}
	_, err = fmt.Fprintf(a.out, "log      %s\nkept in  %s, %s\nevents   %s\n", info.LogID, info.Kind, info.File, render.Number(info.Events))
	if err == nil && info.Created != nil {
		_, err = fmt.Fprintf(a.out, "created  %s\n", render.Time(*info.Created))
	}
	return err
}
