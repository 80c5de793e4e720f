package engine

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// Frames of a turn stay as they were made until the turn is written, those that a backlog holds for ever,
// and neighbours lie in one piece.
func TestArenaKeepsFrames(t *testing.T) {
	type made struct{ frame, want []byte }
	rng := rand.New(rand.NewPCG(1, 2))
	var a arena
	var kept []made
	for turn := range 300 {
		var frames []made
		for i := range rng.IntN(60) {
			size := 1 + rng.IntN(8<<10)
			if rng.IntN(50) == 0 {
				size = arenaFrameMax - 1 + rng.IntN(3)
			}
			want := bytes.Repeat([]byte{byte(turn + i)}, size)
			room := a.room(size)
			if len(room) != 0 || cap(room) < size {
				t.Fatalf("room for %d: %d of %d", size, len(room), cap(room))
			}
			frames = append(frames, made{append(room, want...), want})
		}
		check := func(m made) {
			t.Helper()
			if !bytes.Equal(m.frame, m.want) {
				t.Fatalf("turn %d: a frame of %d bytes has changed", turn, len(m.want))
			}
		}
		for _, m := range frames {
			check(m)
		}
		if len(frames) > 0 && rng.IntN(10) == 0 { // a slow peer
			a.held = true
			kept = append(kept, frames...)
		}
		for _, m := range kept {
			check(m)
		}
		a.recycle()
	}
	if len(kept) == 0 {
		t.Fatal("nothing was held")
	}
}

// Turns of ordinary size take no new memory, and what a long one took is bounded.
func TestArenaIsReused(t *testing.T) {
	var a arena
	turn := func(frames int) {
		for range frames {
			_ = append(a.room(1<<10), make([]byte, 1<<10)...)
		}
		a.recycle()
	}
	turn(10_000)
	if cap(a.buf) != arenaBytesMax {
		t.Errorf("%d bytes after a long turn, want %d", cap(a.buf), arenaBytesMax)
	}
	if n := testing.AllocsPerRun(100, func() { turn(arenaBytesMax >> 10) }); n != 0 {
		t.Errorf("%v allocations in a turn", n)
	}
	a.room(1)
	a.held = true
	turn(arenaBytesMax >> 10)
	if cap(a.buf) != arenaBytesMin || a.held {
		t.Errorf("%d bytes, held %v, want %d that nobody holds", cap(a.buf), a.held, arenaBytesMin)
	}
}
