package export

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
)

// CloudEvents is a CloudEvent 1.0 in structured JSON a line.
type CloudEvents struct {
	LogID string // what the events' source is made from
}

// cloudEvent has the attributes of the specification, those of its documented
// extensions (sequence, authtype, authid), and our own.
type cloudEvent struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject,omitempty"`
	Time            time.Time       `json:"time"`
	DataContentType string          `json:"datacontenttype"`
	Sequence        string          `json:"sequence"`
	AuthType        string          `json:"authtype"`
	AuthID          string          `json:"authid,omitempty"`
	AppAdmin        bool            `json:"appadmin,omitempty"`
	CommandID       string          `json:"commandid,omitempty"`
	Stream          string          `json:"stream"`
	StreamVersion   string          `json:"streamversion"`
	Data            json.RawMessage `json:"data"`
}

// Name is "cloudevents".
func (CloudEvents) Name() string { return "cloudevents" }

// Head is empty.
func (CloudEvents) Head() string { return "" }

// Append appends a line. Numbers are text: an integer of CloudEvents has 32 bits.
func (f CloudEvents) Append(b []byte, e *projections.Event) ([]byte, error) {
	c := cloudEvent{
		SpecVersion: "1.0", ID: strconv.FormatUint(uint64(e.Position), 10), Source: f.source(),
		Type: fmt.Sprintf("io.github.grouplog.%s.v%d", e.Type, e.Schema), Subject: groupOf(e), Time: e.Time.UTC(), DataContentType: "application/json",
		Sequence: fmt.Sprintf("%020d", e.Position), // is compared as text
		AuthType: authType(e), AuthID: e.Actor, AppAdmin: e.AppAdmin, CommandID: e.CommandID,
		Stream: withoutControls(e.Stream), StreamVersion: strconv.FormatUint(uint64(e.Version), 10), Data: e.Data,
	}
	return appendJSON(b, c)
}

// source is the log, as a URI.
func (f CloudEvents) source() string {
	if _, err := uuid.Parse(f.LogID); err == nil {
		return "urn:uuid:" + f.LogID
	}
	return "urn:grouplog:" + url.PathEscape(f.LogID)
}

// withoutControls is text without control characters, which attributes must not hold,
// escaped as in a URI. Only the topics of messages may have any.
func withoutControls(text string) string {
	if strings.IndexFunc(text, unicode.IsControl) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsControl(r) {
			b.WriteString(url.PathEscape(string(r)))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func authType(e *projections.Event) string {
	switch {
	case bySystem(e):
		return "system"
	case e.AppAdmin:
		return "user" // of the operator
	default:
		return "app_user"
	}
}

func bySystem(e *projections.Event) bool { return e.Actor == "" || e.Actor == domain.System.UserID }
