package domain

import "fmt"

// Code is the number of a refusal. The numbers are those of the group document's
// error table, so that clients which know it need no translation.
type Code int

// The codes of rules.md, sections 2 and 3.
const (
	CodeInvalidParameter      Code = 6017
	CodeInvalidUserID         Code = 7003
	CodeInvalidGroupID        Code = 8501
	CodeInvalidName           Code = 8502
	CodeInvalidIntroduction   Code = 8503
	CodeInvalidNotification   Code = 8504
	CodeInvalidFaceURL        Code = 8505
	CodeInvalidNameCard       Code = 8506
	CodeOwnerNotGrantable     Code = 8509
	CodeEmptyInvitation       Code = 8510
	CodeInvalidArgument       Code = 10004
	CodeTooManyUsers          Code = 10005
	CodeNotPermitted          Code = 10007
	CodeOwnerMustStay         Code = 10009
	CodeGroupDismissed        Code = 10010
	CodeAlreadyMember         Code = 10013
	CodeGroupFull             Code = 10014
	CodeUnknownGroup          Code = 10015
	CodeGroupIDTaken          Code = 10021
	CodeApplicationDecided    Code = 10024
	CodeGroupIDYours          Code = 10025
	CodeQuotaExceeded         Code = 10037
	CodeTooManyInitialMembers Code = 10038
	CodeAttributeKeyTooLong   Code = 10045
	CodeAttributeValueTooLong Code = 10046
	CodeTooManyAttributes     Code = 10047
	CodeAttributesTooLarge    Code = 10048
	CodeAttributeConflict     Code = 10056
	CodeNoPolicy              Code = 10059
)

// codes is the table of all refusals: the name that goes over the wire, and what
// the code means to a person. docs/refusals.md is generated from it.
var codes = []struct {
	Code    Code
	Name    string
	Meaning string
}{
	{CodeInvalidParameter, "invalid_parameter", "a value is too long, malformed or not allowed in its place"},
	{CodeInvalidUserID, "invalid_user_id", "a user ID is empty, too long or not printable ASCII"},
	{CodeInvalidGroupID, "invalid_group_id", "a custom group ID is too long, not printable ASCII, or has the wrong prefix for the type"},
	{CodeInvalidName, "invalid_name", "the group's name is empty or too long"},
	{CodeInvalidIntroduction, "invalid_introduction", "the introduction is too long"},
	{CodeInvalidNotification, "invalid_notification", "the notification is too long"},
	{CodeInvalidFaceURL, "invalid_face_url", "the face URL is too long"},
	{CodeInvalidNameCard, "invalid_name_card", "the name card is too long"},
	{CodeOwnerNotGrantable, "owner_not_grantable", "nobody is made owner by being added; ownership is transferred"},
	{CodeEmptyInvitation, "empty_invitation", "an invitation names nobody"},
	{CodeInvalidArgument, "invalid_argument", "the command names something that does not exist or makes no sense"},
	{CodeTooManyUsers, "too_many_users", "more users in one command than the policy allows"},
	{CodeNotPermitted, "not_permitted", "who acts may not do this here"},
	{CodeOwnerMustStay, "owner_must_stay", "the owner may not quit a group of this type"},
	{CodeGroupDismissed, "group_dismissed", "the group has been dismissed"},
	{CodeAlreadyMember, "already_member", "the user is a member already"},
	{CodeGroupFull, "group_full", "the group has no room for so many"},
	{CodeUnknownGroup, "unknown_group", "no group has this ID"},
	{CodeGroupIDTaken, "group_id_taken", "a live group has this ID"},
	{CodeApplicationDecided, "application_decided", "the application is closed already"},
	{CodeGroupIDYours, "group_id_yours", "a live group with this ID is owned by who asks"},
	{CodeQuotaExceeded, "quota_exceeded", "the user is in as many groups as the policy allows"},
	{CodeTooManyInitialMembers, "too_many_initial_members", "more initial members than the group type has room for"},
	{CodeAttributeKeyTooLong, "attribute_key_too_long", "an attribute's key is empty or too long"},
	{CodeAttributeValueTooLong, "attribute_value_too_long", "an attribute's value is too long"},
	{CodeTooManyAttributes, "too_many_attributes", "the group would have too many attributes"},
	{CodeAttributesTooLarge, "attributes_too_large", "the group's attributes would be too large together"},
	{CodeAttributeConflict, "attribute_conflict", "the attributes have changed since they were read"},
	{CodeNoPolicy, "no_policy", "the engine was opened without a policy for this group's type"},
}

// String is the code's name in the wire form, such as "not_permitted".
func (c Code) String() string {
	for _, row := range codes {
		if row.Code == c {
			return row.Name
		}
	}
	return fmt.Sprintf("code_%d", int(c))
}

// Meaning is the code in words.
func (c Code) Meaning() string {
	for _, row := range codes {
		if row.Code == c {
			return row.Meaning
		}
	}
	return ""
}

// Codes lists every code, in ascending order.
func Codes() []Code {
	all := make([]Code, len(codes))
	for i, row := range codes {
		all[i] = row.Code
	}
	return all
}

// Refusal is a wish that a rule forbids. It is an answer, not a failure: asking
// again gives the same until something changes.
//
// errors.Is compares by code, so errors.Is(err, domain.ErrNotPermitted) holds
// for every refusal with code 10007, whatever rule it names.
type Refusal struct {
	Code Code   `json:"code"`
	Rule string `json:"rule"` // the rule that was broken, as a sentence
	Hint string `json:"hint"` // what to do next
}

func (r *Refusal) Error() string {
	text := fmt.Sprintf("refused (%d %s): %s", int(r.Code), r.Code, r.Rule)
	if r.Hint != "" {
		text += "; " + r.Hint
	}
	return text
}

// Is reports whether target is a refusal with the same code.
func (r *Refusal) Is(target error) bool {
	other, ok := target.(*Refusal)
	return ok && other.Code == r.Code
}

// Refuse makes a refusal.
func Refuse(code Code, rule, hint string) *Refusal {
	return &Refusal{Code: code, Rule: rule, Hint: hint}
}

// One value for each code, to compare with errors.Is.
var (
	ErrInvalidParameter      = sentinel(CodeInvalidParameter)
	ErrInvalidUserID         = sentinel(CodeInvalidUserID)
	ErrInvalidGroupID        = sentinel(CodeInvalidGroupID)
	ErrInvalidName           = sentinel(CodeInvalidName)
	ErrInvalidIntroduction   = sentinel(CodeInvalidIntroduction)
	ErrInvalidNotification   = sentinel(CodeInvalidNotification)
	ErrInvalidFaceURL        = sentinel(CodeInvalidFaceURL)
	ErrInvalidNameCard       = sentinel(CodeInvalidNameCard)
	ErrOwnerNotGrantable     = sentinel(CodeOwnerNotGrantable)
	ErrEmptyInvitation       = sentinel(CodeEmptyInvitation)
	ErrInvalidArgument       = sentinel(CodeInvalidArgument)
	ErrTooManyUsers          = sentinel(CodeTooManyUsers)
	ErrNotPermitted          = sentinel(CodeNotPermitted)
	ErrOwnerMustStay         = sentinel(CodeOwnerMustStay)
	ErrGroupDismissed        = sentinel(CodeGroupDismissed)
	ErrAlreadyMember         = sentinel(CodeAlreadyMember)
	ErrGroupFull             = sentinel(CodeGroupFull)
	ErrUnknownGroup          = sentinel(CodeUnknownGroup)
	ErrGroupIDTaken          = sentinel(CodeGroupIDTaken)
	ErrApplicationDecided    = sentinel(CodeApplicationDecided)
	ErrGroupIDYours          = sentinel(CodeGroupIDYours)
	ErrQuotaExceeded         = sentinel(CodeQuotaExceeded)
	ErrTooManyInitialMembers = sentinel(CodeTooManyInitialMembers)
	ErrAttributeKeyTooLong   = sentinel(CodeAttributeKeyTooLong)
	ErrAttributeValueTooLong = sentinel(CodeAttributeValueTooLong)
	ErrTooManyAttributes     = sentinel(CodeTooManyAttributes)
	ErrAttributesTooLarge    = sentinel(CodeAttributesTooLarge)
	ErrAttributeConflict     = sentinel(CodeAttributeConflict)
	ErrNoPolicy              = sentinel(CodeNoPolicy)
)

func sentinel(c Code) *Refusal { return &Refusal{Code: c, Rule: c.Meaning()} }
