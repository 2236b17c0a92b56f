package domain

import "fmt"

// Role is a user's standing in a group; higher ranks above lower. The zero value
// is a stranger, so that a forgotten role never counts as a member. The numbers
// are those of the group document's API.
type Role int

// The roles of the group document.
const (
	NotMember Role = 0
	Member    Role = 200
	Admin     Role = 300
	Owner     Role = 400
)

var roleNames = map[Role]string{NotMember: "", Member: "member", Admin: "admin", Owner: "owner"}

// String is the role's name in the wire form; empty for a stranger.
func (r Role) String() string {
	if name, ok := roleNames[r]; ok {
		return name
	}
	return fmt.Sprintf("role(%d)", int(r))
}

// MarshalText gives the role's name in the wire form.
func (r Role) MarshalText() ([]byte, error) {
	name, ok := roleNames[r]
	if !ok {
		return nil, fmt.Errorf("no role has the number %d", int(r))
	}
	return []byte(name), nil
}

// UnmarshalText reads the role's name in the wire form.
func (r *Role) UnmarshalText(text []byte) error {
	for role, name := range roleNames {
		if name == string(text) {
			*r = role
			return nil
		}
	}
	return fmt.Errorf("unknown role %q: use member, admin or owner", text)
}
