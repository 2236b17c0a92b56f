package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
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
	Cluster *jetstream.Status   `json:"cluster,omitempty"`
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
	if store, ok := log.(*jetstream.Store); ok {
		status, err := store.Status(ctx)
		if err != nil {
			return err
		}
		info.Kind, info.Cluster = "jetstream", &status
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
	if err == nil && info.Cluster != nil {
		_, err = io.WriteString(a.out, clusterInfo(info.Cluster))
	}
	return err
}

// clusterInfo is how the streams of a log are, a line each, and what is wrong with them.
func clusterInfo(status *jetstream.Status) string {
	var text strings.Builder
	for _, s := range status.Streams {
		fmt.Fprintf(&text, "stream   %s: %d messages, %d subjects, led by %s", s.Name, s.Messages, s.Subjects, cmp.Or(s.Leader, "a server by itself"))
		for _, r := range s.Replicas {
			switch {
			case r.Offline:
				fmt.Fprintf(&text, "; %s is OFFLINE", r.Server)
			case !r.Current:
				fmt.Fprintf(&text, "; %s is BEHIND by %d", r.Server, r.Behind)
			default:
				fmt.Fprintf(&text, "; %s is current", r.Server)
			}
		}
		if s.Missing > 0 {
			fmt.Fprintf(&text, "; its leader LACKS %d messages", s.Missing)
		}
		text.WriteByte('\n')
	}
	for _, server := range slices.Sorted(maps.Keys(status.Syncing)) {
		if !status.Syncing[server] {
			fmt.Fprintf(&text, "server   %s DOES NOT SYNC before it acknowledges\n", server)
		}
	}
	return text.String()
}
