package jetstream

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/grouplog/grouplog/eventstore"
)

// format is the version of a message's shape. Whoever meets a newer one stops.
const format = 1

// Headers of a message, beside those of NATS.
const (
	headerChecksum = "Grouplog-Checksum" // CRC-32C of the body as it is sent, in hexadecimal
	headerEncoding = "Content-Encoding"  // gzip, or absent
)

// compressFrom is the size in bytes from which a body is compressed. JSON shrinks to a
// fifth or less, so that a command of some megabytes fits into the default max_payload.
const compressFrom = 16 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// body is what a message says: commits that continue one stream of the log after a
// version, all or none of them, in order.
type body struct {
	Format  int                `json:"format"`
	Stream  string             `json:"stream"`
	After   eventstore.Version `json:"after"`
	Commits []commitBody       `json:"commits"`
}

type commitBody struct {
	Events  []eventBody  `json:"events,omitempty"`
	Outcome *outcomeBody `json:"outcome,omitempty"`
}

type eventBody struct {
	Type      string          `json:"type"`
	Schema    int             `json:"schema"`
	Time      time.Time       `json:"time"`
	Actor     string          `json:"actor,omitempty"`
	AppAdmin  bool            `json:"appAdmin,omitempty"`
	CommandID string          `json:"commandID,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
	Text      string          `json:"text,omitempty"` // instead of data: JSON with white space around it
}

type outcomeBody struct {
	CommandID   string `json:"commandID"`
	Fingerprint []byte `json:"fingerprint,omitempty"`
	Answer      []byte `json:"answer,omitempty"`
}

// encode writes a body. The data of events stands in it byte for byte, which
// encoding/json would not leave it.
func (b *body) encode() ([]byte, error) {
	var out bytes.Buffer
	fmt.Fprintf(&out, `{"format":%d,"stream":`, b.Format)
	if err := appendJSON(&out, b.Stream); err != nil {
		return nil, err
	}
	fmt.Fprintf(&out, `,"after":%d,"commits":[`, b.After)
	for i := range b.Commits {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := b.Commits[i].encode(&out); err != nil {
			return nil, err
		}
	}
	out.WriteString("]}")
	return out.Bytes(), nil
}

func (c *commitBody) encode(out *bytes.Buffer) error {
	out.WriteString(`{"events":[`)
	for i := range c.Events {
		if i > 0 {
			out.WriteByte(',')
		}
		e := c.Events[i]
		data := e.Data
		if trimmed := bytes.TrimSpace(data); len(trimmed) < len(data) {
			e.Text, data = string(data), nil
		}
		e.Data = nil
		if err := appendJSON(out, &e); err != nil {
			return err
		}
		if data != nil {
			out.Truncate(out.Len() - len("}"))
			out.WriteString(`,"data":`)
			out.Write(data)
			out.WriteByte('}')
		}
	}
	out.WriteByte(']')
	if c.Outcome != nil {
		out.WriteString(`,"outcome":`)
		if err := appendJSON(out, c.Outcome); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}

func appendJSON(out *bytes.Buffer, v any) error {
	encoded, err := json.Marshal(v)
	out.Write(encoded)
	return err
}

// commitOf is what a message holds of a commit.
func commitOf(c *eventstore.Commit) commitBody {
	var m commitBody
	for _, e := range c.Events {
		m.Events = append(m.Events, eventBody{
			Type: e.Type, Schema: e.Schema, Time: e.Time.UTC().Truncate(time.Microsecond),
			Actor: e.Actor, AppAdmin: e.AppAdmin, CommandID: e.CommandID, Data: e.Data,
		})
	}
	if o := c.Outcome; o != nil {
		m.Outcome = &outcomeBody{CommandID: o.CommandID, Fingerprint: o.Fingerprint, Answer: o.Answer}
	}
	return m
}

// commits are those of the body, each as it follows the one before.
func (b *body) commits() []eventstore.Commit {
	version := b.After
	commits := make([]eventstore.Commit, len(b.Commits))
	for i := range b.Commits {
		c := &b.Commits[i]
		commit := eventstore.Commit{Stream: b.Stream, Expect: eventstore.Exactly(version)}
		for j := range c.Events {
			e := &c.Events[j]
			data := []byte(e.Data)
			if e.Text != "" {
				data = []byte(e.Text)
			}
			commit.Events = append(commit.Events, eventstore.Event{
				Type: e.Type, Schema: e.Schema, Data: data, Actor: e.Actor, AppAdmin: e.AppAdmin, Time: e.Time, CommandID: e.CommandID,
			})
		}
		if o := c.Outcome; o != nil {
			commit.Outcome = &eventstore.Outcome{CommandID: o.CommandID, Fingerprint: o.Fingerprint, Answer: o.Answer}
		}
		version += eventstore.Version(len(c.Events))
		commits[i] = commit
	}
	return commits
}

// newMessage makes the message of a body, to follow the message of a sequence number on
// its subject. The ID tells the servers, and everybody who reads, that a message which
// is sent again is the same.
func newMessage(stream, subject, id string, follows uint64, b *body) (*nats.Msg, error) {
	data, err := b.encode()
	if err != nil {
		return nil, fmt.Errorf("encode what is appended to %q: %w", b.Stream, err)
	}
	m := nats.NewMsg(subject)
	if len(data) >= compressFrom {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, err := w.Write(data)
		if err := firstError(err, w.Close()); err != nil {
			return nil, fmt.Errorf("compress what is appended to %q: %w", b.Stream, err)
		}
		data = packed.Bytes()
		m.Header.Set(headerEncoding, "gzip")
	}
	m.Data = data
	m.Header.Set(jetstream.MsgIDHeader, id)
	m.Header.Set(jetstream.ExpectedStreamHeader, stream)
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(follows, 10))
	m.Header.Set(headerChecksum, checksum(data))
	return m, nil
}

func checksum(data []byte) string { return fmt.Sprintf("%08x", crc32.Checksum(data, castagnoli)) }

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// decodeMessage reads a message and checks it. The error says what is wrong with it.
func decodeMessage(header nats.Header, data []byte) (*body, error) {
	if sum := header.Get(headerChecksum); sum != checksum(data) {
		return nil, fmt.Errorf("its checksum is %s, and was %q when it was written", checksum(data), sum)
	}
	switch encoding := header.Get(headerEncoding); encoding {
	case "":
	case "gzip":
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("it cannot be unpacked: %w", err)
		}
		if data, err = io.ReadAll(r); err != nil {
			return nil, fmt.Errorf("it cannot be unpacked: %w", err)
		}
	default:
		return nil, fmt.Errorf("it is encoded as %q: %w", encoding, eventstore.ErrNewerSchema)
	}
	var b body
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, fmt.Errorf("it is not of a grouplog log: %w", err)
	}
	if b.Format != format {
		return nil, fmt.Errorf("its format is %d, this program knows %d: %w", b.Format, format, eventstore.ErrNewerSchema)
	}
	return &b, nil
}
