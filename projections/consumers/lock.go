package consumers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// lockPoll is how often to try for a lock that somebody else has.
const lockPoll = 200 * time.Millisecond

// locks are what keeps a name to one consumer: of the operating system, on a file for
// each name, or, in memory, of this process.
type locks struct {
	dir string // empty in memory

	mu   sync.Mutex
	held map[string]bool // in memory: by name
}

// try takes the lock of a name, if nobody has it; unlock is nil if somebody does.
func (l *locks) try(name string) (unlock func() error, err error) {
	if l.dir == "" {
		return l.tryHere(name), nil
	}
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return nil, fmt.Errorf("lock consumer %q: %w", name, err)
	}
	file := flock.New(filepath.Join(l.dir, name+".lock"), flock.SetPermissions(0o644))
	taken, err := file.TryLock()
	if err != nil || !taken {
		if err = errors.Join(err, file.Close()); err != nil {
			err = fmt.Errorf("lock consumer %q: %w", name, err)
		}
		return nil, err
	}
	return file.Close, nil
}

func (l *locks) tryHere(name string) (unlock func() error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[name] {
		return nil
	}
	l.held[name] = true
	return func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.held, name)
		return nil
	}
}

// wait takes the lock of a name as soon as nobody else has it.
func (l *locks) wait(ctx context.Context, name string) (unlock func() error, err error) {
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if unlock, err := l.try(name); unlock != nil || err != nil {
			return unlock, err
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}
