package domain_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/domaintest"
)

// agree holds what Decode reads against what encoding/json alone reads.
func agree(t require.TestingT, name string, data []byte) {
	want, wantErr := domain.DecodeAnyJSON(name, data)
	got, err := domain.Decode(name, domain.SchemaOf(name), data)
	if wantErr != nil {
		require.EqualError(t, err, wantErr.Error(), "%s %q", name, data)
		return
	}
	require.NoError(t, err, "%s %q", name, data)
	require.Equal(t, want, got, "%s %q", name, data) // nil is not empty
}

// strange is JSON that is near to what Encode writes, of every event.
func strange() map[string][]string {
	all := map[string][]string{}
	for _, e := range domain.Events() {
		name, _, data, err := domain.Encode(full(e))
		if err != nil {
			panic(err)
		}
		whole := string(data)
		all[name] = []string{
			whole, whole + " ", " " + whole, whole + whole, whole[:len(whole)-1], whole + "}", "{}", "{", "null", "", "[]", "{},", `""`,
			strings.Replace(whole, ":", ": ", 1), strings.Replace(whole, "{", "{ ", 1),
			strings.Replace(whole, "{", `{"unknown":[{"deep":null}],`, 1),
			whole[:len(whole)-1] + `,"unknown":1}`,
			whole[:len(whole)-1] + "," + whole[1:], // every key twice
			whole[:len(whole)-1] + ",}", strings.Replace(whole, ",", ",,", 1),
			strings.ToLower(whole), strings.ToUpper(whole),
			strings.ReplaceAll(whole, "a", `\u0061`), strings.ReplaceAll(whole, "a", "\xff"), strings.ReplaceAll(whole, "a", "\x01"),
			strings.ReplaceAll(whole, "a", "囲"), strings.ReplaceAll(whole, "a", `\"`), strings.ReplaceAll(whole, "a", `\`),
			strings.ReplaceAll(whole, "[", "[[]"), strings.ReplaceAll(whole, "]", ",]"), strings.ReplaceAll(whole, `"`, ""),
		}
		for value, others := range map[string][]string{
			`"owner"`: {`""`, `"Owner"`, `400`, `null`, `"member"`}, `"Auth"`: {`""`, `"auth"`, `"Any"`, `2`, `null`},
			`:2`: {`:0`, `:12`, `:-1`, `:1.0`, `:2e0`, `:"2"`, `:null`, `:9`}, `true`: {`false`, `null`, `"true"`, `tru`, `truefalse`},
			`"2024-02-03T04:05:06.000007Z"`: {`"2024-02-03T04:05:06+01:00"`, `"2024-02-03"`, `""`, `null`, `7`},
			`["a","b"]`:                     {`[]`, `null`, `["a",null]`, `["a" ,"b"]`, `["a"`, `["a","b"`, `"a"`, `{}`},
			`{"k":"a"}`:                     {`{}`, `null`, `{"k":null}`, `{"k":"a","k":"b"}`, `{"k"}`, `{"k":"a"`, `[]`, `{"k":"a",}`},
		} {
			if strings.Contains(whole, value) {
				for _, other := range others {
					all[name] = append(all[name], strings.ReplaceAll(whole, value, other))
				}
			}
		}
	}
	return all
}

// full is the event with something in every field.
func full(e domain.Event) domain.Event {
	value := reflect.New(reflect.TypeOf(e)).Elem()
	fill(value)
	return value.Interface().(domain.Event)
}

func fill(v reflect.Value) {
	switch value := v.Addr().Interface().(type) {
	case *time.Time:
		*value = time.Date(2024, 2, 3, 4, 5, 6, 7000, time.UTC)
		return
	case *domain.Role:
		*value = domain.Owner
		return
	case *domain.Option:
		*value = domain.Auth
		return
	case *map[string]string:
		*value = map[string]string{"k": "a"}
		return
	case *[]string:
		*value = []string{"a", "b"}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.String:
		v.SetString("a")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(2)
	case reflect.Int:
		v.SetInt(2)
	default:
		panic(v.Type().String())
	}
}

func TestDecodeAgreesWithJSON(t *testing.T) {
	for name, examples := range strange() {
		for _, data := range examples {
			agree(t, name, []byte(data))
		}
	}
}

// TestReadersReadWhatEncodeWrites: no reader has fallen behind its event. A field that it
// does not know would have it give up, every time, and nobody would notice.
func TestReadersReadWhatEncodeWrites(t *testing.T) {
	for _, e := range domain.Events() {
		name := e.EventName()
		if !domain.HasReader(name) {
			t.Logf("%s is left to encoding/json", name)
			continue
		}
		require.Equal(t, 1, domain.SchemaOf(name), "%s: its reader reads the first schema", name)
		for _, e := range []domain.Event{e, full(e)} {
			_, _, data, err := domain.Encode(e)
			require.NoError(t, err)
			got, ok := domain.ReadFast(name, data)
			if bytes.Contains(data, []byte(`""`)) || bytes.Contains(data, []byte("null")) {
				continue // a role or an option that was never given
			}
			require.True(t, ok, "%s", data)
			require.Equal(t, e, got)
		}
	}
}

func TestDecodeAgreesOnHistories(t *testing.T) {
	read, all := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		for _, r := range domaintest.History(t, 60).Records() {
			agree(t, r.Type, r.Data)
			var pretty bytes.Buffer
			require.NoError(t, json.Indent(&pretty, r.Data, "", " "))
			agree(t, r.Type, pretty.Bytes())
			all++
			if domain.HasReader(r.Type) {
				if _, ok := domain.ReadFast(r.Type, r.Data); ok {
					read++
				}
			}
		}
	})
	require.Greater(t, read, all*3/4, "most events are read without encoding/json")
}

func FuzzDecodeAgree(f *testing.F) {
	all := strange()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, data := range all[name] {
			f.Add(name, []byte(data))
		}
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if domain.HasReader(name) {
			agree(t, name, data)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, e := range []domain.Event{domain.MemberJoined{}, domain.ApplicationSubmitted{}, domain.GroupCreated{}} {
		name, schema, data, err := domain.Encode(full(e))
		require.NoError(b, err)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := domain.Decode(name, schema, data); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/json", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := domain.DecodeAnyJSON(name, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
