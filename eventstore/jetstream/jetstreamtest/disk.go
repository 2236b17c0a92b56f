package jetstreamtest

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// StoreDir is the directory of all that a server keeps.
func (c *Cluster) StoreDir(server int) string { return c.members[server].Dir }

// Wipe deletes all that a stopped server has kept, as one whose disk was replaced.
func (c *Cluster) Wipe(t testing.TB, server int) {
	t.Helper()
	c.requireStopped(t, server)
	require.NoError(t, os.RemoveAll(c.StoreDir(server)))
}

// Blocks are the files of a stream's messages on a stopped server, the oldest first.
func (c *Cluster) Blocks(t testing.TB, server int, stream string) []string {
	t.Helper()
	c.requireStopped(t, server)
	blocks, err := filepath.Glob(filepath.Join(c.messages(t, server, stream), "*.blk"))
	require.NoError(t, err)
	require.NotEmpty(t, blocks, "server %d keeps no messages of stream %s", server, stream)
	number := func(path string) int {
		n, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(path), ".blk"))
		require.NoError(t, err)
		return n
	}
	slices.SortFunc(blocks, func(a, b string) int { return cmp.Compare(number(a), number(b)) })
	return blocks
}

func (c *Cluster) messages(t testing.TB, server int, stream string) string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(c.StoreDir(server), "jetstream", "*", "streams", stream, "msgs"))
	require.NoError(t, err)
	require.Len(t, dirs, 1, "server %d keeps stream %s in one account", server, stream)
	return dirs[0]
}

// FlipBit changes one bit of what a stopped server has kept of a stream: where a text
// that stands in a message begins, at the first place that holds it.
func (c *Cluster) FlipBit(t testing.TB, server int, stream, text string) {
	t.Helper()
	for _, path := range c.Blocks(t, server, stream) {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		if at := bytes.Index(content, []byte(text)); at >= 0 {
			content[at] ^= 1
			require.NoError(t, os.WriteFile(path, content, 0o600))
			return
		}
	}
	require.FailNow(t, "no block holds the text "+text)
}

// Truncate cuts so many bytes off the end of the newest block of a stopped server.
func (c *Cluster) Truncate(t testing.TB, server int, stream string, bytes int64) {
	t.Helper()
	blocks := c.Blocks(t, server, stream)
	last := blocks[len(blocks)-1]
	info, err := os.Stat(last)
	require.NoError(t, err)
	require.Less(t, bytes, info.Size(), "the newest block is shorter")
	require.NoError(t, os.Truncate(last, info.Size()-bytes))
}

// LoseIndex deletes what a stopped server has written about its blocks when it stopped.
// One that was killed has none, or an old one.
func (c *Cluster) LoseIndex(t testing.TB, server int, stream string) {
	t.Helper()
	c.requireStopped(t, server)
	require.NoError(t, os.Remove(filepath.Join(c.messages(t, server, stream), "index.db")))
}
