package commands

import (
	"encoding/json"
	"fmt"
	"time"
)

// wireDuration is a duration in the wire form: "24h" or "90s", as time.Duration
// writes itself.
type wireDuration time.Duration

func (d wireDuration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *wireDuration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration: write it as in 24h, 90m or 30s", text)
	}
	*d = wireDuration(parsed)
	return nil
}

// The wire forms of the commands that hold a duration.
type (
	kickMembers KickMembers
	muteMember  MuteMember
)

type kickMembersWire struct {
	*kickMembers
	BanTime wireDuration `json:"duration,omitzero"`
}

type muteMemberWire struct {
	*muteMember
	Duration wireDuration `json:"duration"`
}

// MarshalJSON gives the wire form.
func (c KickMembers) MarshalJSON() ([]byte, error) {
	return json.Marshal(kickMembersWire{(*kickMembers)(&c), wireDuration(c.BanTime)})
}

// UnmarshalJSON reads the wire form.
func (c *KickMembers) UnmarshalJSON(data []byte) error {
	wire := kickMembersWire{kickMembers: (*kickMembers)(c)}
	err := json.Unmarshal(data, &wire)
	c.BanTime = time.Duration(wire.BanTime)
	return err
}

// MarshalJSON gives the wire form.
func (c MuteMember) MarshalJSON() ([]byte, error) {
	return json.Marshal(muteMemberWire{(*muteMember)(&c), wireDuration(c.Duration)})
}

// UnmarshalJSON reads the wire form.
func (c *MuteMember) UnmarshalJSON(data []byte) error {
	wire := muteMemberWire{muteMember: (*muteMember)(c)}
	err := json.Unmarshal(data, &wire)
	c.Duration = time.Duration(wire.Duration)
	return err
}
