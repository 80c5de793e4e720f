package fuzz

import (
	"math/rand/v2"
	"slices"
	"testing"

	"deepstream-fast/fuzz/peer"
)

// FuzzStream sends an input behind a login in one piece, and again in pieces of random sizes. Both
// times the server must answer the same and end, or not end, the same way. One loop, and one client
// at a time, leave no other reason for a difference.
func FuzzStream(f *testing.F) {
	for i, seed := range seeds() {
		f.Add(seed, uint64(i))
	}
	f.Fuzz(func(t *testing.T, input []byte, cuts uint64) {
		if len(input) > inputBytesMax {
			return // more than one read: a close in the middle would reset the connection
		}
		n, err := oneLoop()
		if err != nil {
			t.Fatal(err)
		}
		whole := answers(t, n, [][]byte{input})
		pieces := answers(t, n, chop(input, cuts))
		if !slices.Equal(whole, pieces) {
			t.Fatalf("in one piece: %q\nin several:   %q", whole, pieces)
		}
		n.checkSane(t)
	})
}

// chop cuts b into at most piecesMax pieces of random sizes, many of them small.
func chop(b []byte, seed uint64) [][]byte {
	const piecesMax = 64
	rnd := rand.New(rand.NewPCG(seed, uint64(len(b))))
	var pieces [][]byte
	for len(b) > 0 && len(pieces) < piecesMax-1 {
		size := min(len(b), 1+rnd.IntN(1<<rnd.IntN(10)))
		pieces = append(pieces, b[:size])
		b = b[size:]
	}
	return append(pieces, b)
}

// answers returns what a server says to a client that logs in, sends the pieces and ends its side.
func answers(t *testing.T, n *node, pieces [][]byte) []string {
	t.Helper()
	clock, c := dial(t, n), dial(t, n)
	if err := c.Send(login("f")...); err != nil {
		t.Fatal(err)
	}
	type transcript struct {
		lines []string
		err   error
	}
	end := make(chan transcript, 1)
	go func() { // ends with the connection, which Patience bounds
		lines, err := c.AwaitClose()
		end <- transcript{lines, err}
	}()
	for _, piece := range pieces {
		c.Write(piece)
		tick(t, clock) // or the next piece is read together with this one
	}
	// Everything must be answered before the end of the stream is seen, which drops what is unsent.
	tick(t, clock)
	for n.eng.Stats().Blocked > 0 {
		tick(t, clock)
	}
	c.CloseWrite()
	got := <-end
	if got.err != nil {
		t.Fatal(got.err)
	}
	if _, err := clock.Close(); err != nil {
		t.Fatal(err)
	}
	n.awaitEmpty(t)
	return got.lines
}

// tick returns after the loop has gone round, reading all sockets that had something to read.
func tick(t *testing.T, clock *peer.Client) {
	t.Helper()
	for range 2 {
		if _, err := clock.Fence(); err != nil {
			t.Fatal(err)
		}
	}
}
