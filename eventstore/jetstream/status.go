package jetstream

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Status is how a log in a cluster is, for those who look after it.
type Status struct {
	Name    string          `json:"name"`
	Shards  int             `json:"shards"`
	Behind  uint64          `json:"behind"` // messages that the replica lacks
	Streams []StreamStatus  `json:"streams"`
	Syncing map[string]bool `json:"syncing,omitempty"` // whether each server syncs always, as far as they say
}

// StreamStatus is how one stream of the cluster is.
type StreamStatus struct {
	Name     string          `json:"name"`
	Leader   string          `json:"leader"` // the name of a server; empty where there is none
	Messages uint64          `json:"messages"`
	Bytes    uint64          `json:"bytes"`
	Subjects uint64          `json:"subjects"`          // streams of the log
	Missing  int             `json:"missing,omitempty"` // messages that its leader lacks: its disk is damaged
	Replicas []ReplicaStatus `json:"replicas,omitempty"`
}

// ReplicaStatus is how a server follows the leader of a stream.
type ReplicaStatus struct {
	Server  string `json:"server"`
	Current bool   `json:"current"`
	Offline bool   `json:"offline,omitempty"`
	Behind  uint64 `json:"behind,omitempty"` // entries that it lacks
}

// Status asks the cluster how the log is.
func (s *Store) Status(ctx context.Context) (Status, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return Status{}, err
	}
	defer leave()
	status := Status{Name: s.address.name, Shards: s.shards.n}
	for _, want := range s.shards.configs(s.id, s.options.Replicas) {
		info, err := s.findStream(ctx, want.Name)
		if err != nil {
			return Status{}, fmt.Errorf("the stream %s: %w", want.Name, explain(err))
		}
		status.Streams = append(status.Streams, streamStatus(info))
	}
	log := status.Streams[len(status.Streams)-1]
	s.follower.mu.Lock()
	status.Behind = max(log.Messages, s.follower.applied) - s.follower.applied
	s.follower.mu.Unlock()
	servers, err := s.askSync(ctx)
	if err != nil {
		return Status{}, err
	}
	for _, server := range servers {
		if status.Syncing == nil {
			status.Syncing = map[string]bool{}
		}
		status.Syncing[server.Name] = server.Always
	}
	return status, nil
}

func streamStatus(info *jetstream.StreamInfo) StreamStatus {
	status := StreamStatus{
		Name: info.Config.Name, Messages: info.State.LastSeq, Bytes: info.State.Bytes,
		Subjects: info.State.NumSubjects, Missing: info.State.NumDeleted,
	}
	if info.Cluster == nil {
		return status
	}
	status.Leader = info.Cluster.Leader
	for _, r := range info.Cluster.Replicas {
		status.Replicas = append(status.Replicas, ReplicaStatus{Server: r.Name, Current: r.Current, Offline: r.Offline, Behind: r.Lag})
	}
	return status
}
