package cli

import (
	"encoding"
	"encoding/base64"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/domain"
)

// shortHelp says what each command does. A command that is not in it has no help.
var shortHelp = map[string]string{
	"CreateGroup":            "Create a group, and own it",
	"RequestJoin":            "Join a group, or apply to",
	"InviteUsers":            "Bring users into a group",
	"AcceptApplication":      "Let in whom an application is about",
	"RefuseApplication":      "Close an application without letting anybody in",
	"MarkApplicationsRead":   "Have all applications so far count as read",
	"SetGroupInfo":           "Change a group's name, options and other fields",
	"Quit":                   "Leave a group",
	"KickMembers":            "Remove members, and keep them out for a time",
	"SetMemberRole":          "Make a member an admin, or an admin a member",
	"TransferOwner":          "Name a new owner",
	"MuteMember":             "Silence a member for a time",
	"MuteAll":                "Silence all plain members, or let them speak",
	"SetMemberInfo":          "Change a member's name card and custom fields",
	"SetAttributes":          "Set attributes of a group",
	"DeleteAttributes":       "Delete attributes of a group",
	"Dismiss":                "End a group for good",
	"Recycle":                "End a group that has been idle for too long (app admin)",
	"SendCustomNotification": "Tell members what the application likes (app admin)",
	"CreateTopic":            "Open a topic in a Community",
	"SetTopicInfo":           "Change a topic",
	"DeleteTopics":           "Close topics",
	"ImportGroup":            "Create a group with a past (app admin)",
	"ImportMember":           "Add a member with a past (app admin)",
}

// field is how a command's field looks on the command line, by its name in the wire
// form. One that is not in the table is named after its wire form.
type field struct{ flag, help, example string }

var fields = map[string]field{
	"groupID":           {"group", "the group's `ID`", "chess"},
	"groupType":         {"type", "the group's `TYPE`: Work, Public, Meeting, Community or AVChatRoom", "Public"},
	"name":              {"name", "the `NAME` to show", `"Chess club"`},
	"introduction":      {"introduction", "`TEXT` that introduces it", ""},
	"notification":      {"notification", "`TEXT` that members should see", ""},
	"faceURL":           {"face-url", "`URL` of its picture", ""},
	"joinOption":        {"join-option", "who comes in by themselves: Forbid, Auth (asks approvers) or Any", "Any"},
	"inviteOption":      {"invite-option", "whom members bring in: Forbid, Auth (asks approvers) or Any", "Any"},
	"supportTopic":      {"support-topic", "with topics (Community)", ""},
	"members":           {"member", "initial member, as `USER` or USER:admin; with a colon in the ID, USER:member; repeat for more", "bob"},
	"userID":            {"user", "the `USER` whom it is about", "bob"},
	"userIDs":           {"user", "a `USER` whom it is about; repeat for more", "bob"},
	"fromUser":          {"from", "the `USER` who applied or invited, in place of --application", "bob"},
	"applicationID":     {"application", "the application's `ID`, or --group and --from", ""},
	"message":           {"message", "`TEXT` for the approvers", ""},
	"reason":            {"reason", "`TEXT` that says why", ""},
	"role":              {"role", "`ROLE`: member or admin", "admin"},
	"duration":          {"duration", "for how long, as in 90s, 30m or 24h", "24h"},
	"muted":             {"muted", "whether they are silent; --muted=false lets them speak", ""},
	"nameCard":          {"name-card", "the `NAME` shown in this group", ""},
	"custom":            {"custom", "custom field, as `KEY=VALUE`; repeat for more, nothing after = deletes", ""},
	"attributes":        {"attribute", "attribute, as `KEY=VALUE`; repeat for more", "opening=e4"},
	"attributesVersion": {"attributes-version", "only if the attributes are at this `VERSION`", ""},
	"keys":              {"key", "`KEY` of an attribute; repeat for more, none for all", ""},
	"data":              {"data", "`TEXT`, or base64:… for bytes", `"round 3 begins"`},
	"topicID":           {"topic", "the topic's `ID`", "openings"},
	"topicIDs":          {"topic", "a topic's `ID`; repeat for more", "openings"},
	"createdAt":         {"created-at", "when it was created, as in 2018-08-23T04:11:39Z; now where not given", ""},
	"joinedAt":          {"joined-at", "when they joined, as in 2018-08-23T04:11:39Z; now where not given", ""},
}

func fieldOf(wireName string) field {
	if f, ok := fields[wireName]; ok {
		return f
	}
	return field{flag: kebab(wireName)}
}

// commandField is a field of a command type.
type commandField struct {
	reflect.StructField
	field
	required bool // the wire form always has it
}

func fieldsOf(typ reflect.Type) []commandField {
	var all []commandField
	for _, f := range reflect.VisibleFields(typ) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			all = append(all, commandField{f, fieldOf(name), !strings.Contains(options, "omit")})
		}
	}
	return all
}

// addFields adds a flag for each field of a command.
func (a *app) addFields(c *cobra.Command, command reflect.Value) {
	for _, f := range fieldsOf(command.Type()) {
		help := f.help
		if f.required {
			help += " (required)"
		}
		value := &fieldValue{command.FieldByIndex(f.Index)}
		flag := c.Flags().VarPF(value, f.flag, "", help)
		if value.Type() == "bool" {
			flag.NoOptDefVal = "true"
		}
		if f.required {
			must(c.MarkFlagRequired(f.flag))
		}
		if complete := a.completionFor(f); complete != nil {
			must(c.RegisterFlagCompletionFunc(f.flag, complete))
		}
	}
}

func (a *app) completionFor(f commandField) cobra.CompletionFunc {
	switch f.flag {
	case "group":
		return a.completeGroups
	case "user", "from", "member":
		return a.completeUsers
	case "type":
		return completeTypes
	case "role":
		return cobra.FixedCompletions([]string{"member", "admin"}, cobra.ShellCompDirectiveNoFileComp)
	case "join-option", "invite-option":
		return cobra.FixedCompletions([]string{"Forbid", "Auth", "Any"}, cobra.ShellCompDirectiveNoFileComp)
	default:
		return nil
	}
}

// exampleOf is a command line with what a command cannot do without.
func exampleOf(typ reflect.Type, name string) string {
	line := "  grouplog do " + kebab(name) + " --as alice"
	if strings.Contains(shortHelp[name], "(app admin)") {
		line = "  grouplog do " + kebab(name) + " --as root --app-admin"
	}
	for _, f := range fieldsOf(typ) {
		switch {
		case !f.required:
		case f.Type.Kind() == reflect.Bool:
			line += " --" + f.flag
		default:
			line += " --" + f.flag + " " + f.example
		}
	}
	return line + exampleEnd[name]
}

// exampleEnd is what examples need beside the fields that the wire form always has: one of
// two ways to name something, or a change.
var exampleEnd = map[string]string{
	"AcceptApplication": " --group chess --from bob",
	"RefuseApplication": " --group chess --from bob",
	"SetGroupInfo":      ` --introduction "Every Tuesday"`,
	"SetMemberInfo":     ` --name-card "Alice, board 1"`,
	"SetTopicInfo":      ` --name "Openings"`,
}

// kebab is a name of the wire form as a command line has it: RequestJoin, request-join.
func kebab(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 && !unicode.IsUpper(rune(name[i-1])) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// humps are words as only names in the wire form are written.
var humps = regexp.MustCompile(`\b[A-Za-z]+[a-z][A-Z]\w*\b`)

// asTyped is a hint with the names of the wire form as a command line has them.
func asTyped(hint string) string {
	return humps.ReplaceAllStringFunc(hint, func(word string) string {
		if f, ok := fields[word]; ok {
			return "--" + f.flag
		}
		if _, ok := shortHelp[word]; ok {
			return `"grouplog do ` + kebab(word) + `"`
		}
		return word
	})
}

// fieldValue is a field of a command as a flag.
type fieldValue struct{ reflect.Value }

// String is the default, of which there is none to show.
func (*fieldValue) String() string { return "" }

// Type is what the help calls the value where its text does not name it.
func (v *fieldValue) Type() string {
	switch {
	case v.Kind() == reflect.Bool:
		return "bool"
	case v.Value.Type() == reflect.TypeFor[time.Duration]():
		return "TIME"
	case v.Value.Type() == reflect.TypeFor[time.Time]():
		return "TIME"
	case v.Value.Type() == reflect.TypeFor[domain.Option]():
		return "OPTION"
	default:
		return "VALUE"
	}
}

// Set reads what was typed, into the field.
func (v *fieldValue) Set(text string) error {
	switch field := v.Addr().Interface().(type) {
	case *time.Duration:
		return v.parse(field, text)
	case *time.Time:
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return fmt.Errorf("%q is no time: write it as in 2018-08-23T04:11:39Z", text)
		}
		*field = at.UTC()
	case encoding.TextUnmarshaler:
		return field.UnmarshalText([]byte(text))
	case **string:
		*field = &text
	case **int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is no whole number", text)
		}
		*field = &n
	case *bool:
		on, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*field = on
	case *[]string:
		*field = append(*field, text)
	case *[]byte:
		data, err := bytesOf(text)
		*field = data
		return err
	case *map[string]string:
		return assign(field, text)
	case *[]domain.InitialMember:
		member, err := memberOf(text)
		*field = append(*field, member)
		return err
	default:
		v.SetString(text) // a string, or a type of its own that is one
	}
	return nil
}

func (*fieldValue) parse(field *time.Duration, text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is no duration: write it as in 24h, 90m or 30s", text)
	}
	*field = d
	return nil
}

func bytesOf(text string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(text, "base64:")
	if !ok {
		return []byte(text), nil
	}
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("what follows base64: is not that: %w", err)
	}
	return data, nil
}

func assign(field *map[string]string, text string) error {
	key, value, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("%q is not KEY=VALUE", text)
	}
	if *field == nil {
		*field = map[string]string{}
	}
	(*field)[key] = value
	return nil
}

// memberOf reads USER or USER:ROLE. A user ID may have colons in it: what follows the
// last one is always a role, so that none is taken for a part of the ID when it is misspelt.
func memberOf(text string) (domain.InitialMember, error) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return domain.InitialMember{UserID: text}, nil
	}
	var role domain.Role
	if err := role.UnmarshalText([]byte(text[i+1:])); err != nil || role == domain.NotMember {
		return domain.InitialMember{}, fmt.Errorf("%q is no role: after the colon stands member or admin, as in %s:member for a user ID that has a colon in it", text[i+1:], text)
	}
	return domain.InitialMember{UserID: text[:i], Role: role}, nil
}

// must is for what can only go wrong if the program itself is wrong.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
