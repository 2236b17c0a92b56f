package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// checkSync refuses a cluster whose servers may lose what they have acknowledged,
// unless that was asked for.
func (s *Store) checkSync(ctx context.Context) error {
	sync := s.options.Sync
	if s.address.sync != SyncAsk {
		sync = s.address.sync
	}
	if sync == SyncLazy {
		s.options.Logger.Warn("acknowledged events can be lost if most servers lose their power at once: the log was opened with sync=lazy", "log", s.String())
		return nil
	}
	if sync == SyncAsk && len(s.options.Monitors) == 0 {
		return fmt.Errorf("%w: nobody says whether the servers sync before they acknowledge; set sync_interval: always in the jetstream block of each, and say sync=always in the address (or give their monitoring addresses; or say sync=lazy and accept it)", ErrSync)
	}
	for _, monitor := range s.options.Monitors {
		always, err := syncsAlways(ctx, monitor)
		if err != nil {
			return fmt.Errorf("%w: the monitor %s does not say whether its server syncs always: %w", ErrUnavailable, monitor, err)
		}
		if !always {
			return fmt.Errorf("%w: the server at %s does not sync before it acknowledges; set sync_interval: always in its jetstream block and restart it, or say sync=lazy", ErrSync, monitor)
		}
	}
	return nil
}

// syncsAlways asks a server's monitoring.
func syncsAlways(ctx context.Context, monitor string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(monitor, "/")+"/jsz", nil)
	if err != nil {
		return false, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close() //nolint:errcheck // it is read
	if response.StatusCode != http.StatusOK {
		return false, fmt.Errorf("it answers %s", response.Status)
	}
	var answer struct {
		Config struct {
			SyncAlways bool `json:"sync_always"`
		} `json:"config"`
	}
	return answer.Config.SyncAlways, json.NewDecoder(response.Body).Decode(&answer)
}
