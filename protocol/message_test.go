package protocol

import (
	"fmt"
	"slices"
	"testing"
)

func collect(n *Names) []string {
	var out []string
	it := n.Iter()
	for it.Next() {
		out = append(out, string(it.Name()))
	}
	return out
}

func TestNamesAreIterated(t *testing.T) {
	const tag = 7<<3 | 2
	for _, c := range []struct {
		name  string
		names Names
		want  []string
	}{
		{"zero value", Names{}, nil},
		{"empty list", ListNames(nil), nil},
		{"list", ListNames([][]byte{[]byte("a"), nil, []byte("bc")}), []string{"a", "", "bc"}},
		{"wire", WireNames([]byte("\x08\x03\x3a\x01a\x3a\x00\x3a\x02bc"), tag, 3), []string{"a", "", "bc"}},
		{
			"among every other wire type",
			WireNames([]byte("\x08\x83\x01\x3a\x01a\x791234567\x3a\x7d12\x3a4\x1a\x02\x3a\x00\x3a\x01b\x08\x01"), tag, 2),
			[]string{"a", "b"},
		},
		{"long tags", WireNames([]byte("\xba\x00\x01a\xba\x01\x01x\xaa\x01\x01y\x3a\x81\x00b"), tag, 2), []string{"a", "b"}},
		{"fewer than counted", WireNames([]byte("\x3a\x01a\x08\x01"), tag, 2), []string{"a"}},
		{"more than counted", WireNames([]byte("\x3a\x01a\x3a\x01b"), tag, 1), []string{"a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 2 { // an iterator leaves its list as it was
				if got := collect(&c.names); !slices.Equal(got, c.want) {
					t.Errorf("got %q, want %q", got, c.want)
				}
			}
			it := c.names.Iter()
			for it.Next() {
				if name := it.Name(); c.names.body != nil && cap(name) != len(name) {
					t.Errorf("view %q has capacity %d", name, cap(name))
				}
			}
			if it.Next() {
				t.Error("Next after the end")
			}
		})
	}
}

func TestNamesLen(t *testing.T) {
	list, wire := ListNames(make([][]byte, 3)), WireNames([]byte("\x3a\x00"), 0x3a, 1)
	if n := list.Len(); n != 3 {
		t.Errorf("list: Len %d", n)
	}
	if n := wire.Len(); n != 1 {
		t.Errorf("wire: Len %d", n)
	}
}

func TestIterAllocatesNothing(t *testing.T) {
	var body []byte
	var list [][]byte
	for i := range 100 {
		name := fmt.Appendf(nil, "name/%d", i)
		list = append(list, name)
		body = append(append(body, 0x3a, byte(len(name))), name...)
	}
	for _, names := range []Names{ListNames(list), WireNames(body, 0x3a, 100)} {
		bytes := 0
		if n := testing.AllocsPerRun(100, func() {
			it := names.Iter()
			for it.Next() {
				bytes += len(it.Name())
			}
		}); n != 0 || bytes == 0 {
			t.Errorf("%v allocations for %d bytes", n, bytes)
		}
	}
}

func TestResetLeavesNothingButRoom(t *testing.T) {
	m := Message{
		Topic: TopicRecord, Action: RecordPatch, Data: []byte("1"), Names: ListNames(make([][]byte, 2)), IsAck: true,
		HasVersion: true, Version: 3, Versions: make([]NameVersion, 5), SDKType: []byte("x"), RequestorData: []byte("y"),
	}
	m.Reset()
	if cap(m.Versions) != 5 || len(m.Versions) != 0 {
		t.Errorf("versions have length %d and capacity %d", len(m.Versions), cap(m.Versions))
	}
	if got := m.String(); got != "UNKNOWN 0" || m.Names.Len() != 0 {
		t.Errorf("left over: %s", got)
	}
}
