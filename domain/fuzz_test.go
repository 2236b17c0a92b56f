package domain_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

// Whatever stands in a log under an event's name is read or refused; what is read is
// applied to a group in any state, and is written and read again as the same.
func FuzzDecode(f *testing.F) {
	for i, e := range samples {
		_, schema, data, err := domain.Encode(e)
		require.NoError(f, err)
		f.Add(uint8(i), schema, data)
	}
	f.Add(uint8(0), 1, []byte(`{"members":[{"userID":"a"},{"userID":"a","role":"owner"}]}`))
	f.Add(uint8(11), 1, []byte(`{"until":"9999-12-31T23:59:59.999999999-23:59"}`))
	f.Fuzz(func(t *testing.T, event uint8, schema int, data []byte) {
		name := samples[int(event)%len(samples)].EventName()
		e, err := domain.Decode(name, schema, data)
		if err != nil {
			assert.Nil(t, e)
			return
		}
		_, _, written, err := domain.Encode(e)
		require.NoError(t, err)
		back, err := domain.Decode(name, domain.SchemaOf(name), written)
		require.NoError(t, err, "%s", written)
		_, _, again, err := domain.Encode(back)
		require.NoError(t, err)
		assert.Equal(t, string(written), string(again))
		for _, g := range []*domain.Group{
			domain.NewGroup(GroupID),
			Given(t, domain.Classic(), Live(domain.Classic(), domain.Public)...).Group(),
			Given(t, domain.Classic(), Live(domain.Classic(), domain.Community)...).And(domain.GroupDismissed{}).Group(),
		} {
			for range 2 {
				g.Apply(e, domain.Meta{Actor: User(Olga), At: Noon})
			}
			for range g.Memberships() {
				continue
			}
			for range g.OpenApplications() {
				continue
			}
		}
	})
}
