// Package projectiontest checks projections, anybody's: one line in a test.
//
//	func TestDaily(t *testing.T) { projectiontest.Run(t, daily{}) }
//
// What [Run] checks is what package projections rests on, and promises who reads the rows:
// they depend on the events alone. It draws random histories of groups, and shrinks the one
// that it finds a mistake with.
package projectiontest
