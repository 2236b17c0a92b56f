package commands

import (
	"runtime"

	"github.com/grouplog/grouplog/domain"
)

// In tests, read models are used for groups of any size, and no group is read whole
// because many of its users have been looked up.
func init() { smallGroup, lookupsPerRead = 0, 0 }

// HotFor is how long a conflict keeps a group with its owner.
const HotFor = hotFor

// Heat has a handler think that it has met a conflict about a group.
func Heat(h *Handler, groupID string) { h.lanes.heat(domain.GroupStream(groupID)) }

// Travel takes an answer to another process.
func Travel(receipt Receipt, err error) (Receipt, error) {
	data := encode(answered{Format: wireFormat, Answers: []answeredLine{answerOf(receipt, err)}})
	a, err := decodeAnswered(data, 1)
	if err != nil {
		return Receipt{}, err
	}
	return a.Answers[0].result()
}

// ReadAnswers reads what may be an answer to two commands.
func ReadAnswers(data []byte) error {
	a, err := decodeAnswered(data, 2)
	if err == nil {
		for i := range a.Answers {
			_, _ = a.Answers[i].result()
		}
	}
	return err
}

// AwaitClosing returns when a handler has begun to close.
func AwaitClosing(h *Handler) {
	for closing := false; !closing; runtime.Gosched() {
		h.closing.RLock()
		closing = h.closed
		h.closing.RUnlock()
	}
}
