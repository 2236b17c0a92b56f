package sqlite

import (
	"fmt"

	"github.com/grouplog/grouplog/eventstore"
)

// applyBatch judges and writes every commit of the batch, in order, and reports
// whether there is anything to commit.
func (w *writer) applyBatch() (stored bool, err error) {
	for _, r := range w.batch {
		r.results = make([]eventstore.Result, len(r.commits))
		var refused eventstore.Refused
		for i := range r.commits {
			result, err := w.apply(&r.commits[i], &refused)
			if err != nil {
				return false, err
			}
			if r.entry != nil {
				if err := forked(r.entry.Mark, result.Err); err != nil {
					return false, err
				}
			}
			r.results[i] = result
			stored = stored || result.Err == nil
		}
		if r.entry != nil && r.entry.Judged != nil {
			r.entry.Judged(r.results)
		}
	}
	return stored, nil
}

// apply judges one commit against the log and the commits before it in the batch, and
// writes it. It writes nothing of a commit that it refuses: there is no savepoint to
// go back to. An error is not about the commit but about the transaction.
func (w *writer) apply(c *eventstore.Commit, refused *eventstore.Refused) (eventstore.Result, error) {
	version, err := w.version(c)
	if err != nil {
		return eventstore.Result{}, err
	}
	if conflict := refused.Judge(c, version); conflict != nil {
		if c.Outcome != nil {
			if refusal, err := w.duplicate(c.Outcome.CommandID); refusal != nil || err != nil {
				return eventstore.Result{Err: refusal}, err
			}
		}
		return eventstore.Result{Err: conflict}, nil
	}
	if c.Outcome != nil {
		outcome := c.Outcome.Of(w.head, len(c.Events))
		fresh, err := w.conn.putOutcome(&outcome, &w.hasher)
		if err != nil {
			return eventstore.Result{}, err
		}
		if !fresh {
			refused.Add(c)
			refusal, err := w.duplicate(c.Outcome.CommandID)
			return eventstore.Result{Err: refusal}, err
		}
	}
	return w.put(c, version)
}

// version is that of the commit's stream, or anything if nobody will ask.
func (w *writer) version(c *eventstore.Commit) (eventstore.Version, error) {
	if c.Expect.IsAny() && len(c.Events) == 0 {
		return 0, nil
	}
	if version, ok := w.versions.get(c.Stream); ok {
		return version, nil
	}
	version, err := w.conn.readVersion(c.Stream)
	if err == nil {
		w.versions.set(c.Stream, version)
	}
	return version, err
}

// duplicate is the refusal of a commit whose command ID has an outcome, nil if it has
// none. An outcome that is unreadable refuses the commit too, with a DamageError.
func (w *writer) duplicate(commandID string) (refusal, err error) {
	stored, checksum, found, err := w.conn.readOutcome(commandID)
	if err != nil || !found {
		return nil, err
	}
	if err := checkOutcome(&stored, checksum, &w.hasher); err != nil {
		return err, nil
	}
	return &eventstore.DuplicateError{Stored: stored}, nil
}

// put writes a commit's events at the places that follow.
func (w *writer) put(c *eventstore.Commit, version eventstore.Version) (eventstore.Result, error) {
	if len(c.Events) == 0 {
		return eventstore.Result{}, nil
	}
	result := eventstore.Result{First: w.head + 1}
	for i := range c.Events {
		version++
		record := eventstore.Record{Position: w.head + 1, Stream: c.Stream, Version: version, Event: c.Events[i]}
		if err := w.conn.putEvent(&record, &w.hasher); err != nil {
			return eventstore.Result{}, fmt.Errorf("write record %d, version %d of %q: %w", record.Position, version, c.Stream, err)
		}
		w.head++
	}
	w.versions.set(c.Stream, version)
	result.Last, result.Version = w.head, version
	return result, nil
}

// maxVersions is how many streams' versions the writer remembers, some 100 bytes each.
const maxVersions = 1 << 16

// versions remembers the last versions of streams, so that the common commit needs no
// query. It is right for as long as nobody else writes. Not for concurrent use.
type versions struct {
	last map[string]eventstore.Version
	max  int
}

func newVersions(limit int) *versions {
	return &versions{last: make(map[string]eventstore.Version), max: limit}
}

func (v *versions) get(stream string) (eventstore.Version, bool) {
	version, ok := v.last[stream]
	return version, ok
}

// set remembers a version. When there are too many, it forgets any of the others.
func (v *versions) set(stream string, version eventstore.Version) {
	if len(v.last) >= v.max {
		if _, ok := v.last[stream]; !ok {
			for other := range v.last {
				delete(v.last, other)
				break
			}
		}
	}
	v.last[stream] = version
}

func (v *versions) forget() { clear(v.last) }
