package past

import (
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
)

// SetEachOne sets how long a history may be for each event to be left out in turn, and
// returns what sets it back.
func SetEachOne(n int) (back func()) {
	before := eachOne
	eachOne = n
	return func() { eachOne = before }
}

// ChainOfMute is the chain of a user's mute by the events of a group, and how often an
// answer was asked for on the way.
func ChainOfMute(groupID, userID string, events []projections.Event) (links []projections.Event, asked int) {
	q := question[time.Time]{groupID: groupID, userID: userID, fact: func(g *domain.Group) time.Time {
		asked++
		m, _ := g.Membership(userID)
		return m.MutedUntil
	}}
	links = q.chain(events)
	return links, asked
}
