package domain

// Actor is who acts. AppAdmin marks the operator of the application: a flag on
// the act, not a role in any group. What an app admin did is recorded as such.
type Actor struct {
	UserID   string `json:"userID"`
	AppAdmin bool   `json:"appAdmin,omitempty"`
}

// System is the actor of what nobody asked for, such as recycling idle groups.
var System = Actor{UserID: "@system", AppAdmin: true}
