package domain

// DecodeAnyJSON is Decode by encoding/json alone, which the readers must agree with.
func DecodeAnyJSON(name string, data []byte) (Event, error) {
	return decode(name, eventTypes[name], data)
}

// HasReader reports whether there is a reader for the event.
func HasReader(name string) bool { return new(reader).event(name) != nil }

// ReadFast reads an event with its reader alone; ok is false where it gives up.
func ReadFast(name string, data []byte) (e Event, ok bool) { return read(name, data) }
