package domain

// Actor is who acts. AppAdmin marks the operator of the application: a flag on
// the act, not a role in any group. What an app admin did is recorded as such.
type Actor struct {
	UserID   string `json:"userID"`
	AppAdmin bool   `json:"appAdmin,omitempty"`
}

// System is the actor of what nobody asked for, such as recycling idle groups. Its
// user ID is reserved: it is nobody's who acts without AppAdmin, and no member's.
var System = Actor{UserID: "@system", AppAdmin: true}
