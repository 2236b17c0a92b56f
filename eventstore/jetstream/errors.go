package jetstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/grouplog/grouplog/eventstore"
)

// Errors of a log in a cluster, beside those of package eventstore.
var (
	// ErrUnavailable: the cluster does not answer, or has no quorum.
	ErrUnavailable = errors.New("the cluster does not answer")
	// ErrDenied: the cluster does not let this user do what is necessary.
	ErrDenied = errors.New("the cluster refuses the credentials")
	// ErrSettings: the stream of the log, or a server, is not set up as it must be.
	ErrSettings = errors.New("unfit settings")
	// ErrSync: nobody has said that the servers sync always, or they do not.
	ErrSync = errors.New("acknowledged events could be lost with the power")
)

// errNoLeader: there is a stream, and no server leads it.
func errNoLeader(stream string) error {
	return fmt.Errorf("%w: no server leads the stream %s; check that most of its servers run and reach each other", ErrUnavailable, stream)
}

// Codes of the server's errors (server/errors.json of nats-server) for which nats.go has
// no names.
const (
	codeDuplicateInProcess    jetstream.ErrorCode = 10158 // a copy of the message is under way
	codeNoPeers               jetstream.ErrorCode = 10005 // fewer servers than replicas
	codeStreamNotCreated      jetstream.ErrorCode = 10049 // for any reason of a server's own
	codeStoreFailed           jetstream.ErrorCode = 10077
	codeInsufficientResources jetstream.ErrorCode = 10023
	codeAccountExceeded       jetstream.ErrorCode = 10002
	codeStorageExceeded       jetstream.ErrorCode = 10047
)

// explain gives an error of NATS the name that it has here, keeps it as the cause, and
// says what to do.
func explain(err error) error {
	var api *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &api):
		return explainAPI(api, err)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return fmt.Errorf("%w: %w; check the user, the password or the credentials file", ErrDenied, err)
	case errors.Is(err, nats.ErrPermissionViolation):
		return fmt.Errorf("%w: %w; docs/distributed.md lists the permissions that are needed", ErrDenied, err)
	case errors.Is(err, nats.ErrNoServers), errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrTimeout),
		errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrDisconnected),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, jetstream.ErrNoStreamResponse):
		return fmt.Errorf("%w: %w; check that most of its servers run, reach each other, and have JetStream enabled", ErrUnavailable, err)
	}
	return err
}

func explainAPI(api *jetstream.APIError, err error) error {
	switch {
	case isFull(api):
		return fmt.Errorf("%w: %w; give the servers' JetStream more storage (max_file_store, or the account's limit)", eventstore.ErrFull, err)
	case api.ErrorCode == codeNoPeers:
		return fmt.Errorf("%w: %w; it has fewer servers with JetStream than the log is to have replicas (Options.Replicas, %d unless said)", ErrUnavailable, err, DefaultReplicas)
	case api.ErrorCode == codeStreamNotCreated: // passes where the account's last stream has just been deleted: its directory goes a moment later
		return fmt.Errorf("%w: %w; a server could not make the stream, and its own log says why (a full or read-only disk, permissions)", ErrUnavailable, err)
	case api.Code == 503 || api.Code == 408:
		return fmt.Errorf("%w: %w; check that most of its servers run and reach each other", ErrUnavailable, err)
	case api.ErrorCode == jetstream.JSErrCodeJetStreamNotEnabledForAccount, api.ErrorCode == jetstream.JSErrCodeJetStreamNotEnabled:
		return fmt.Errorf("%w: %w; enable JetStream on the servers and for the account of this user", ErrSettings, err)
	}
	return err
}

func isFull(api *jetstream.APIError) bool {
	switch api.ErrorCode {
	case codeStoreFailed, codeInsufficientResources, codeAccountExceeded, codeStorageExceeded:
		return true
	}
	return false
}
