package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/natsext"
)

// checkSync refuses a cluster whose servers may lose what they have acknowledged,
// unless that was asked for. Whoever says that they sync is believed only where the
// servers themselves do not say; most of them must, and none may say otherwise.
func (s *Store) checkSync(ctx context.Context) error {
	sync := s.options.Sync
	if s.address.sync != SyncAsk {
		sync = s.address.sync
	}
	if sync == SyncLazy {
		s.options.Logger.Warn("acknowledged events can be lost if most servers lose their power at once: the log was opened with sync=lazy", "log", s.String())
		return nil
	}
	servers, err := s.askSync(ctx)
	for _, server := range servers {
		if !server.Always {
			return fmt.Errorf("%w: the server %s does not sync before it acknowledges; set sync_interval: always in its jetstream block and restart it, or say sync=lazy", ErrSync, server.Name)
		}
	}
	switch {
	case sync == SyncAlways && len(s.options.Monitors) == 0:
		return nil
	case err != nil:
		return err
	case len(servers) <= s.options.Replicas/2: // one that is down says nothing
		return fmt.Errorf("%w: %d servers say whether they sync before they acknowledge, of %d that hold the log; set sync_interval: always in the jetstream block of each, and say sync=always in the address (or let the account ask them, as in docs/cluster; or give their monitoring addresses; or say sync=lazy and accept it)",
			ErrSync, len(servers), s.options.Replicas)
	}
	return nil
}

// serverSync is what a server says of itself.
type serverSync struct {
	Name   string
	Always bool
}

// askSync asks the servers whether they sync always: by their monitoring, where that is
// given, and otherwise through the connection, where the account may.
func (s *Store) askSync(ctx context.Context) ([]serverSync, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if len(s.options.Monitors) == 0 {
		return s.askConnection(ctx), nil
	}
	var servers []serverSync
	var errs []error
	for _, monitor := range s.options.Monitors {
		server, err := askMonitor(ctx, monitor)
		if err != nil {
			errs = append(errs, fmt.Errorf("%w: the monitor %s does not say whether its server syncs always: %w", ErrUnavailable, monitor, err))
			continue
		}
		servers = append(servers, server)
	}
	return servers, errors.Join(errs...)
}

// setup is a server's answer, as far as it matters here.
type setup struct {
	Config struct {
		SyncAlways bool `json:"sync_always"`
	} `json:"config"`
}

// stall is how long to wait for another server's answer, at first.
const stall = 300 * time.Millisecond

// askConnection asks all servers at once, and where some answer, but not most of those that
// hold the log, again: servers may have much to do, or have just found each other. An
// account that may not ask gets no answers.
func (s *Store) askConnection(ctx context.Context) (servers []serverSync) {
	for wait := stall; ; wait *= 2 {
		servers = askOnce(ctx, s.conn, wait)
		if len(servers) == 0 || len(servers) > s.options.Replicas/2 || ctx.Err() != nil {
			return servers
		}
	}
}

func askOnce(ctx context.Context, conn *nats.Conn, wait time.Duration) (servers []serverSync) {
	answers, err := natsext.RequestMany(ctx, conn, "$SYS.REQ.SERVER.PING.JSZ", nil, natsext.RequestManyStall(wait))
	if err != nil {
		return nil
	}
	for m, err := range answers {
		var answer struct {
			Server struct {
				Name string `json:"name"`
			} `json:"server"`
			Data *setup `json:"data"`
		}
		if err != nil || json.Unmarshal(m.Data, &answer) != nil || answer.Data == nil {
			continue
		}
		servers = append(servers, serverSync{answer.Server.Name, answer.Data.Config.SyncAlways})
	}
	return servers
}

// askMonitor asks one server by HTTP.
func askMonitor(ctx context.Context, monitor string) (serverSync, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(monitor, "/")+"/jsz", nil)
	if err != nil {
		return serverSync{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return serverSync{}, err
	}
	defer response.Body.Close() //nolint:errcheck // it is read
	if response.StatusCode != http.StatusOK {
		return serverSync{}, fmt.Errorf("it answers %s", response.Status)
	}
	var answer setup
	err = json.NewDecoder(response.Body).Decode(&answer)
	return serverSync{monitor, answer.Config.SyncAlways}, err
}
