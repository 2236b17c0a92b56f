package jetstream

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// DefaultName is that of a log whose address does not say one.
const DefaultName = "grouplog"

// address is where a log is: the servers to ask first, and its name among their streams.
type address struct {
	servers string // as nats.Connect takes them
	name    string
	sync    Sync
}

// logName is what a log can be called: it is part of subjects and of streams' names.
var logName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// IsAddress reports whether the text is the address of a log in a cluster, and not the
// path of a file.
func IsAddress(s string) bool {
	scheme, _, ok := strings.Cut(s, "://")
	return ok && schemes[scheme]
}

// NameOf is the name of the log at an address. The error is about the address.
func NameOf(s string) (string, error) {
	a, err := parseAddress(s)
	return a.name, err
}

var schemes = map[string]bool{"nats": true, "tls": true, "ws": true, "wss": true}

// parseAddress reads nats://user:password@host:4222,host:4222/NAME?sync=always. The
// user, the name and what follows it may be left out; each host may have a scheme and a
// user of its own, as NATS writes several servers.
func parseAddress(s string) (a address, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("address of a log: %w; write nats://HOST:4222,HOST:4222/NAME?sync=always", err)
		}
	}()
	var servers []string
	var first, last *url.URL
	for _, one := range strings.Split(s, ",") {
		if last != nil && last.Path+last.RawQuery != "" {
			return a, errors.New("the name comes after the last host")
		}
		if last, err = parseServer(one, first); err != nil {
			return a, err
		}
		if first == nil {
			first = last
		}
		servers = append(servers, (&url.URL{Scheme: last.Scheme, User: last.User, Host: last.Host}).String())
	}
	a = address{servers: strings.Join(servers, ","), name: strings.Trim(last.Path, "/")}
	if a.name == "" {
		a.name = DefaultName
	}
	if !logName.MatchString(a.name) {
		return a, fmt.Errorf("%q is no name of a log, which has letters, digits, _ and -", a.name)
	}
	for key, values := range last.Query() {
		if key != "sync" {
			return a, fmt.Errorf("it knows no %q", key)
		}
		if a.sync, err = parseSync(values[len(values)-1]); err != nil {
			return a, err
		}
	}
	return a, nil
}

// parseServer reads one server of an address. What it does not say is as with the first.
func parseServer(s string, first *url.URL) (*url.URL, error) {
	if first != nil && !strings.Contains(s, "://") {
		s = first.Scheme + "://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err // without the address, which may hold a password
		}
		return nil, err
	}
	if !schemes[u.Scheme] {
		return nil, fmt.Errorf("%q is no scheme of NATS", u.Scheme)
	}
	if u.Host == "" {
		return nil, errors.New("a host is missing")
	}
	if u.User == nil && first != nil {
		u.User = first.User
	}
	return u, nil
}

// stream is the name of the stream that has the log in its order.
func (a *address) stream() string { return "GROUPLOG-" + a.name }

// prefix begins the subjects of one kind.
func (a *address) prefix(kind string) string { return "grouplog." + a.name + "." + kind + "." }

// maxToken is how long a token for a stream's name gets before a digest stands for it:
// a protocol line of NATS has at most 4 KiB.
const maxToken = 512

// escape writes a stream's name with the letters that may stand in one token of a
// subject: what is none of them is written as =XX for each byte. A long name's digest
// stands for it; the message itself has the name.
func escape(name string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == ':', c == '/':
			b.WriteByte(c)
		default:
			b.WriteByte('=')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	if b.Len() > maxToken {
		return fmt.Sprintf("==%x", sha256.Sum256([]byte(name)))
	}
	return b.String()
}
