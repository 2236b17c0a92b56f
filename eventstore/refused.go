package eventstore

// Refused judges the commits of one call of Append by the versions of their
// streams, and remembers which streams had a commit refused: for stores. The zero
// value is for a new call.
type Refused struct {
	streams map[string]bool
}

// Judge returns the conflict for which a commit is refused, nil if it is not, given
// the version of its stream.
func (r *Refused) Judge(c *Commit, actual Version) error {
	follows := r.streams[c.Stream] && !c.Expect.IsAny()
	if c.Expect.Accepts(actual) && !follows {
		return nil
	}
	r.Add(c)
	return &ConflictError{Stream: c.Stream, Expected: c.Expect, Actual: actual, Follows: follows}
}

// Add remembers a commit that was refused for another reason.
func (r *Refused) Add(c *Commit) {
	if r.streams == nil {
		r.streams = make(map[string]bool)
	}
	r.streams[c.Stream] = true
}
