// Package upcast reads what older versions of the program have written as what today's
// would write: events that were renamed, whose fields came, went or changed their names,
// and events that are several today. How, is data: a Table.
package upcast

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Form is how an event stands on disk: its name, and the version of its JSON.
type Form struct {
	Name   string
	Schema int
}

func (f Form) String() string { return fmt.Sprintf("%s.v%d", f.Name, f.Schema) }

// Fields are an event's JSON.
type Fields = map[string]json.RawMessage

// Table says of every form that is not written any more what it has become: one form,
// or several where the event was split. What it has become may be in the table again.
type Table map[Form][]Target

// Target is a form that another has become, wholly or in part.
type Target struct {
	Form
	field   string // without which there is no such part; empty for always
	changes []change
}

type change func(Fields)

// To is a form, and how its fields come from those of the one before, in this order.
func To(name string, schema int, changes ...change) Target {
	return Target{Form: Form{name, schema}, changes: changes}
}

// If leaves the target out where the form before does not have a field.
func (t Target) If(field string) Target {
	t.field = field
	return t
}

// Rename gives a field another name.
func Rename(from, to string) change {
	return func(f Fields) {
		if value, ok := f[from]; ok {
			delete(f, from)
			f[to] = value
		}
	}
}

// Add gives a field that was not there before a value, in JSON.
func Add(field, value string) change {
	return func(f Fields) {
		if _, ok := f[field]; !ok {
			f[field] = json.RawMessage(value)
		}
	}
}

// Remove leaves fields out.
func Remove(fields ...string) change {
	return func(f Fields) {
		maps.DeleteFunc(f, func(name string, _ json.RawMessage) bool { return slices.Contains(fields, name) })
	}
}

// Keep leaves all other fields out.
func Keep(fields ...string) change {
	return func(f Fields) {
		maps.DeleteFunc(f, func(name string, _ json.RawMessage) bool { return !slices.Contains(fields, name) })
	}
}

// Stored is an event in a form.
type Stored struct {
	Form
	Data []byte
}

// Upcast reads what has a form of the table as what it has become: forms that are not in
// the table, at least one.
func (t Table) Upcast(form Form, data []byte) ([]Stored, error) {
	var fields Fields
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	if fields == nil {
		return nil, errors.New("no JSON object")
	}
	var all []Stored
	if err := t.follow(form, fields, &all); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("it has none of the fields that it would be read by")
	}
	return all, nil
}

func (t Table) follow(form Form, fields Fields, all *[]Stored) error {
	targets, ok := t[form]
	if !ok {
		data, err := json.Marshal(fields)
		*all = append(*all, Stored{form, data})
		return err
	}
	for _, target := range targets {
		if _, ok := fields[target.field]; !ok && target.field != "" {
			continue
		}
		changed := maps.Clone(fields)
		for _, change := range target.changes {
			change(changed)
		}
		if err := t.follow(target.Form, changed, all); err != nil {
			return err
		}
	}
	return nil
}

// Names are those of the events that a form may have become, each once; nil for a form
// that is not in the table.
func (t Table) Names(form Form) []string {
	var names []string
	for _, target := range t[form] {
		next := t.Names(target.Form)
		if next == nil {
			next = []string{target.Name}
		}
		for _, name := range next {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// Check reports every mistake in the table, where newest is the schema of each event that
// is written today: forms that come to nothing that can be read, run in circles, or are
// written still; and older schemas that nothing reads.
func (t Table) Check(newest map[string]int) error {
	var mistakes []error
	for form, targets := range t {
		if newest[form.Name] == form.Schema {
			mistakes = append(mistakes, fmt.Errorf("%s is written today, and must be read as it is", form))
		}
		if form.Schema < 1 || form.Schema > newest[form.Name] && newest[form.Name] > 0 {
			mistakes = append(mistakes, fmt.Errorf("%s has never been written", form))
		}
		if len(targets) == 0 {
			mistakes = append(mistakes, fmt.Errorf("%s becomes nothing", form))
		}
		for _, target := range targets {
			if err := t.ends(target.Form, newest, len(t)); err != nil {
				mistakes = append(mistakes, fmt.Errorf("%s: %w", form, err))
			}
		}
	}
	for name, last := range newest {
		for schema := 1; schema < last; schema++ {
			if _, ok := t[Form{name, schema}]; !ok {
				mistakes = append(mistakes, fmt.Errorf("nothing reads %s", Form{name, schema}))
			}
		}
	}
	return errors.Join(mistakes...)
}

// ends reports a form from which the table leads, in so many steps, to something that is
// not written today.
func (t Table) ends(form Form, newest map[string]int, steps int) error {
	targets, ok := t[form]
	switch {
	case !ok && newest[form.Name] == form.Schema:
		return nil
	case !ok:
		return fmt.Errorf("%s, which it becomes, is unknown", form)
	case steps == 0:
		return errors.New("it becomes itself")
	}
	for _, target := range targets {
		if err := t.ends(target.Form, newest, steps-1); err != nil {
			return err
		}
	}
	return nil
}
