// Package bench measures grouplog against floors: what the machine, SQLite and Go give
// for the same work without grouplog.
//
// A Row is one figure with its floor and its target. The rows and what they measure
// stand in rows.go; each file beside it holds the trials of a few of them. A trial is
// run in rounds, and a round measures ours and the floor one after the other, for disks
// have moods and other programs come and go: the ratio of a row is the median of the
// ratios of its rounds. A first round warms up and is not counted, but where the cold
// start is what is measured.
//
// Every log is on disk and durable: WAL with synchronous=FULL, read back on the floors'
// connections and refused by the store where it is anything else.
package bench
