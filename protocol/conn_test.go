package protocol

import "testing"

func TestConnID(t *testing.T) {
	for _, c := range []struct {
		loop      int
		slot, gen uint32
		want      string
	}{
		{0, 0, 1, "0/0/1"},
		{LoopsMax - 1, SlotsMax - 1, 1<<32 - 1, "63/16777215/4294967295"},
		{5, 70_000, 9, "5/70000/9"},
	} {
		id := MakeConnID(c.loop, c.slot, c.gen)
		if id.Loop() != c.loop || id.Slot() != c.slot || id.Gen() != c.gen || id.String() != c.want {
			t.Errorf("id of %d, %d, %d is %v", c.loop, c.slot, c.gen, id)
		}
		if id == 0 {
			t.Errorf("%v is the id of no connection", id)
		}
	}
}
