package domain

// ApplicationSubmitted opens an application: From asks that UserID, who may be
// the same, become a member.
type ApplicationSubmitted struct {
	ApplicationID string          `json:"applicationID"`
	Kind          ApplicationKind `json:"kind"`
	From          string          `json:"from"`
	UserID        string          `json:"userID"`
	Message       string          `json:"message,omitempty"`
}

func (ApplicationSubmitted) EventName() string { return "application.submitted" }

func (e ApplicationSubmitted) evolve(g *Group, m Meta) {
	g.applications.open(&Application{
		ID: e.ApplicationID, Kind: e.Kind, From: e.From, Candidate: e.UserID, Message: e.Message, At: m.At,
	})
}

// ApplicationRefreshed is an open application made again: its message and time
// are the new ones.
type ApplicationRefreshed struct {
	ApplicationID string          `json:"applicationID"`
	Kind          ApplicationKind `json:"kind"`
	From          string          `json:"from"`
	UserID        string          `json:"userID"`
	Message       string          `json:"message,omitempty"`
}

func (ApplicationRefreshed) EventName() string { return "application.refreshed" }

func (e ApplicationRefreshed) evolve(g *Group, m Meta) {
	if app, ok := g.applications.byID[e.ApplicationID]; ok {
		app.Message, app.At = e.Message, m.At
	}
}

// ApplicationAccepted decides an application and admits the user.
type ApplicationAccepted struct {
	ApplicationID string          `json:"applicationID"`
	Kind          ApplicationKind `json:"kind"`
	From          string          `json:"from"`
	UserID        string          `json:"userID"`
	Reason        string          `json:"reason,omitempty"`
}

func (ApplicationAccepted) EventName() string { return "application.accepted" }

func (e ApplicationAccepted) evolve(g *Group, m Meta) {
	g.applications.close(e.ApplicationID)
	g.admit(e.UserID, Member, m.At)
}

// ApplicationRefused decides an application without admitting anybody.
type ApplicationRefused struct {
	ApplicationID string          `json:"applicationID"`
	Kind          ApplicationKind `json:"kind"`
	From          string          `json:"from"`
	UserID        string          `json:"userID"`
	Reason        string          `json:"reason,omitempty"`
}

func (ApplicationRefused) EventName() string { return "application.refused" }

func (e ApplicationRefused) evolve(g *Group, _ Meta) { g.applications.close(e.ApplicationID) }

// ApplicationsRead moves a user's read mark, over all groups, to this event's
// place in the log. It stands in the user's own stream.
type ApplicationsRead struct {
	UserID string `json:"userID"`
}

func (ApplicationsRead) EventName() string { return "applications.read" }

func (ApplicationsRead) evolve(*Group, Meta) {}
