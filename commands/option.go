package commands

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/grouplog/grouplog/domain"
)

// Option changes how one command is carried out.
type Option func(*options)

type options struct {
	id     string
	at     time.Time
	dryRun bool
}

// MaxID is the longest command ID, in bytes.
const MaxID = 200

// WithID gives the command an ID, the idempotency key: the same ID again returns
// the first answer (done, nothing, or the same refusal) and records nothing; the
// same ID with another command is an ErrIDReused. This survives restarts. An ID
// is printable ASCII of at most MaxID bytes; an empty one is none.
func WithID(id string) Option { return func(o *options) { o.id = id } }

// At has the command happen at a time of the past. It is for imports: the time
// must not be before the last event of the same group, nor in the future.
func At(t time.Time) Option { return func(o *options) { o.at = t } }

// DryRun has the command decided and not recorded: the receipt's Planned holds the
// events that would have been.
func DryRun() Option { return func(o *options) { o.dryRun = true } }

// fingerprint identifies what was asked, so that the same ID with other content
// can be told from a repetition.
func fingerprint(actor domain.Actor, at time.Time, cmd Command) ([]byte, error) {
	content, err := json.Marshal(Line{At: at, As: actor, Command: cmd})
	if err != nil {
		return nil, fmt.Errorf("fingerprint of %s: %w", cmd.CommandName(), err)
	}
	sum := sha256.Sum256(content)
	return sum[:], nil
}
