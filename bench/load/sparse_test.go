package load

import "testing"

func TestSparseCounts(t *testing.T) {
	event := func(name string) []byte {
		inner := appendField([]byte{fieldAction << 3, eventEmit}, fieldData, "1")
		return message(topicEvent, appendField(inner, fieldName, name))
	}
	// Six connections of two names each: name 0 is that of connections 0, 1 and 2, name 3 of 3, 4 and 5.
	fresh := func() *Sparse {
		return &Sparse{opts: SparseOptions{Conns: 6, Names: 2, Reach: 3}, names: 4, got: make([]uint8, 4), flying: 3}
	}
	s := fresh()
	for conn := range 3 {
		if err := s.take(conn, event(sparseName(0))); err != nil {
			t.Fatal(err)
		}
	}
	if s.flying != 0 || s.arrived != 3 {
		t.Errorf("%d owed, %d arrived", s.flying, s.arrived)
	}
	if err := s.take(0, event(sparseName(0))); err == nil {
		t.Error("a fourth delivery of a name with three subscribers is taken")
	}
	if err := fresh().take(3, event(sparseName(0))); err == nil {
		t.Error("a delivery to one who has not subscribed is taken")
	}
	for _, name := range []string{"other", sparseName(4)} {
		if err := fresh().take(0, event(name)); err == nil {
			t.Errorf("an event of %q is taken", name)
		}
	}
}

func TestSparseOptionsAreChecked(t *testing.T) {
	for _, o := range []SparseOptions{
		{Conns: 0, Names: 1, Reach: 1, Window: 1}, {Conns: 2, Names: 3, Reach: 4, Window: 1},
		{Conns: 300, Names: 1, Reach: 256, Window: 1}, {Conns: 3, Names: 1, Reach: 3, Window: 0},
	} {
		if err := o.validate(); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	if err := (&SparseOptions{Conns: 10, Names: 1, Reach: 3, Window: 1}).validate(); err != nil {
		t.Error(err)
	}
}
