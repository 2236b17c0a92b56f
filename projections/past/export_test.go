package past

// SetEachOne sets how long a history may be for each event to be left out in turn, and
// returns what sets it back.
func SetEachOne(n int) (back func()) {
	before := eachOne
	eachOne = n
	return func() { eachOne = before }
}
