package export

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
)

// OCSF is an event of the Open Cybersecurity Schema Framework a line, of the class Group
// Management (3006). An event about several users is one event with a list of them, so
// that an event of the log is one of OCSF. What is about no group (applications.read,
// messages) is left out.
type OCSF struct {
	LogID string
}

// The version of the framework, and the numbers of the class.
const (
	ocsfVersion  = "1.9.0-dev"
	ocsfCategory = 3
	ocsfClass    = 3006
)

type ocsfEvent struct {
	ActivityID   int         `json:"activity_id"`
	ActivityName string      `json:"activity_name"`
	CategoryUID  int         `json:"category_uid"`
	CategoryName string      `json:"category_name"`
	ClassUID     int         `json:"class_uid"`
	ClassName    string      `json:"class_name"`
	TypeUID      int         `json:"type_uid"`
	TypeName     string      `json:"type_name"`
	Time         int64       `json:"time"` // milliseconds since 1970
	SeverityID   int         `json:"severity_id"`
	Severity     string      `json:"severity"`
	StatusID     int         `json:"status_id"`
	Status       string      `json:"status"`
	StatusDetail string      `json:"status_detail,omitempty"`
	Message      string      `json:"message"`
	Actor        ocsfActor   `json:"actor"`
	Group        ocsfGroup   `json:"group"`
	UpdatedGroup *ocsfGroup  `json:"updated_group,omitempty"`
	User         *ocsfUser   `json:"user,omitempty"`
	Users        []ocsfUser  `json:"users,omitempty"`
	Roles        []ocsfNamed `json:"iam_roles,omitempty"`
	Privileges   []string    `json:"privileges,omitempty"`
	Metadata     ocsfMeta    `json:"metadata"`
	Unmapped     ocsfRest    `json:"unmapped"`
}

type ocsfActor struct {
	User ocsfUser `json:"user"`
}

type ocsfUser struct {
	UID    string `json:"uid"`
	TypeID int    `json:"type_id"`
	Type   string `json:"type"`
}

type ocsfGroup struct {
	UID  string `json:"uid"`
	Name string `json:"name,omitempty"`
	Desc string `json:"desc,omitempty"`
	Type string `json:"type,omitempty"`
}

type ocsfNamed struct {
	Name string `json:"name"`
}

type ocsfMeta struct {
	Version        string              `json:"version"`
	Product        ocsfProduct         `json:"product"`
	UID            string              `json:"uid"`
	Sequence       eventstore.Position `json:"sequence"`
	EventCode      string              `json:"event_code"`
	OriginalTime   string              `json:"original_time"`
	LogName        string              `json:"log_name"`
	LogVersion     string              `json:"log_version"`
	CorrelationUID string              `json:"correlation_uid,omitempty"`
}

type ocsfProduct struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name"`
}

// ocsfRest is what the class has no fields for.
type ocsfRest struct {
	Version eventstore.Version `json:"version"` // in the group's stream
	Data    json.RawMessage    `json:"data"`
}

// Name is "ocsf".
func (OCSF) Name() string { return "ocsf" }

// Head is empty.
func (OCSF) Head() string { return "" }

// Append appends a line, or nothing for what is about no group.
func (f OCSF) Append(b []byte, e *projections.Event) ([]byte, error) {
	groupID := groupOf(e)
	if groupID == "" {
		return b, nil
	}
	a := activityOf(e.Fact)
	o := ocsfEvent{
		ActivityID: a.id, ActivityName: a.name,
		CategoryUID: ocsfCategory, CategoryName: "Identity & Access Management",
		ClassUID: ocsfClass, ClassName: "Group Management",
		TypeUID: ocsfClass*100 + a.id, TypeName: "Group Management: " + a.typeName(),
		Time: e.Time.UnixMilli(), SeverityID: 1, Severity: "Informational", StatusID: 1, Status: "Success",
		StatusDetail: a.detail, Message: audit.Sentence(*e), Actor: ocsfActor{actorOf(e)},
		Group: a.group, UpdatedGroup: a.updated, Privileges: a.privileges,
		Metadata: ocsfMeta{
			Version: ocsfVersion, Product: ocsfProduct{Name: "grouplog", VendorName: "grouplog"},
			UID: f.LogID + "/" + strconv.FormatUint(uint64(e.Position), 10), Sequence: e.Position, EventCode: e.Type,
			OriginalTime: e.Time.UTC().Format(time.RFC3339Nano), LogName: f.LogID, LogVersion: strconv.Itoa(e.Schema),
			CorrelationUID: e.CommandID,
		},
		Unmapped: ocsfRest{Version: e.Version, Data: e.Data},
	}
	o.Group.UID = groupID
	if o.UpdatedGroup != nil {
		o.UpdatedGroup.UID = groupID
	}
	if a.role != "" {
		o.Roles = []ocsfNamed{{a.role}}
	}
	for _, id := range a.users {
		o.Users = append(o.Users, ocsfUser{UID: id, TypeID: 1, Type: "User"})
	}
	if len(o.Users) == 1 {
		o.User = &o.Users[0]
	}
	return appendJSON(b, o)
}

func actorOf(e *projections.Event) ocsfUser {
	switch {
	case bySystem(e):
		return ocsfUser{UID: domain.System.UserID, TypeID: 3, Type: "System"}
	case e.AppAdmin:
		return ocsfUser{UID: e.Actor, TypeID: 2, Type: "Admin"}
	default:
		return ocsfUser{UID: e.Actor, TypeID: 1, Type: "User"}
	}
}
