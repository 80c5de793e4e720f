package fuzz

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"deepstream-fast/codec"
	"deepstream-fast/codec/ws"
	"deepstream-fast/engine"
	"deepstream-fast/fuzz/peer"
	"deepstream-fast/session"
	"deepstream-fast/store/memory"
)

// Limits of a node under fuzzing, small enough for an input to run into them.
const (
	inputBytesMax   = 48 << 10 // one read of the engine, and more than any limit below
	messageBytesMax = 8 << 10
	bulkBytesMax    = 32 << 10
	namesMax        = 2000
	cacheBytesMax   = 1 << 20
	storeBytesMax   = 16 << 20
	heapGrowthMax   = 256 << 20 // live bytes over the life of the process, 100 MiB of them the fuzzer's
)

// node is a real engine and session that one process feeds all its inputs: opening a connection is
// cheap, starting an engine is not.
type node struct {
	eng  *engine.Engine
	heap uint64 // live bytes at the start
}

// startOnce returns a function that starts the node when it is first needed. Records, if it serves them,
// live on from input to input. A fuzzing process ends without notice, so nobody stops it.
func startOnce(loops int, records bool) func() (*node, error) {
	return sync.OnceValues(func() (*node, error) {
		n := session.NewNode(session.Options{
			Loops: loops, Events: true, RPC: true, Presence: true, Records: records,
			Store: memory.New(memory.Options{BytesMax: storeBytesMax}), CacheBytesMax: cacheBytesMax,
			UnauthenticatedTimeout: -1, AuthAttemptsMax: 3,
			MessageBytesMax: messageBytesMax, BulkNamesMax: namesMax,
		})
		eng, err := engine.Start(engine.Options{
			Host: "127.0.0.1", Loops: loops,
			MessageBytesMax: messageBytesMax, BulkBytesMax: bulkBytesMax, Bulk: codec.IsBulk,
			NewHandler: n.NewHandler, WantsTurn: n.WantsTurn,
		})
		return &node{eng: eng, heap: liveHeap()}, err
	})
}

var (
	severalLoops = startOnce(3, true)
	oneLoop      = startOnce(1, false) // what it answers depends on the input alone
)

// holdings returns what every loop holds.
func (n *node) holdings() []session.Holdings {
	type one struct {
		loop int
		h    session.Holdings
	}
	all, answers := make([]session.Holdings, n.eng.Loops()), make(chan one, n.eng.Loops())
	for i := range all {
		n.eng.Post(i, session.Inspect(func(loop int, h session.Holdings) { answers <- one{loop, h} }))
	}
	for range all {
		a := <-answers
		all[a.loop] = a.h
	}
	return all
}

// awaitRead returns when every loop has read what its sockets had to read: mail is handled behind the
// sockets of a pass, and the second of two mails in another pass than the first.
func (n *node) awaitRead() {
	for range 3 {
		n.holdings()
	}
}

// awaitEmpty fails unless everything is forgotten soon after the last connection has gone.
func (n *node) awaitEmpty(t *testing.T) {
	t.Helper()
	empty := make([]session.Holdings, n.eng.Loops())
	deadline := time.Now().Add(peer.Patience)
	for {
		got, conns := n.holdings(), n.eng.Stats().Connections()
		if conns == 0 && slices.Equal(got, empty) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %d connections, %+v", conns, got)
		}
		runtime.Gosched()
	}
}

// liveHeap returns the bytes in use after a collection.
func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// checkSane fails if a handler panicked, or if memory grows from input to input.
func (n *node) checkSane(t *testing.T) {
	t.Helper()
	if s := n.eng.Stats(); s.Panics > 0 {
		t.Fatalf("%d panics", s.Panics)
	}
	var m runtime.MemStats
	if runtime.ReadMemStats(&m); m.HeapAlloc > n.heap+heapGrowthMax {
		if live := liveHeap(); live > n.heap+heapGrowthMax {
			t.Fatalf("%d MiB of live heap, %d at the start", live>>20, n.heap>>20)
		}
	}
}

// login is what a client has to send to be let in.
func login(user string) []string {
	return []string{"CONNECTION CHALLENGE url=ws://h", fmt.Sprintf("AUTH REQUEST data=`{%q:%q}`", "username", user)}
}

func dial(t *testing.T, n *node) *peer.Client {
	t.Helper()
	c, err := peer.Dial(n.eng.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// script is a readable seed: messages in the text form, one per line, as frames.
func script(lines string) []byte {
	var out []byte
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		m, err := peer.Parse(strings.TrimSpace(line))
		if err != nil {
			panic(err)
		}
		out = peer.AppendMessage(out, &m)
	}
	return out
}

// seeds are one script for each topic and then the shapes that are no messages. More are in testdata.
func seeds() [][]byte {
	loggedIn := strings.Join(login("f"), "\n") + "\n"
	names := make([]string, 300)
	for i := range names {
		names[i] = fmt.Sprint("n", i)
	}
	list := strings.Join(names, " ")
	return [][]byte{
		script(loggedIn + "EVENT SUBSCRIBE correlationId=1 names=[a b a]\nEVENT EMIT name=a data=1\nEVENT UNSUBSCRIBE names=[a]"),
		script(loggedIn + "EVENT LISTEN name=`a.*`\nEVENT SUBSCRIBE names=[ab]\nEVENT LISTEN_ACCEPT name=`a.*` subscription=ab\nEVENT UNLISTEN name=`a.*`"),
		script(loggedIn + "RPC PROVIDE names=[f]\nRPC REQUEST name=f correlationId=c data=1\nRPC ACCEPT name=f correlationId=c\nRPC RESPONSE name=f correlationId=c data=2"),
		script(loggedIn + "RPC PROVIDE names=[f g]\nRPC REQUEST name=f correlationId=c\nRPC REJECT name=f correlationId=c\nRPC UNPROVIDE names=[f]"),
		script(loggedIn + "PRESENCE SUBSCRIBE names=[w f]\nPRESENCE SUBSCRIBE_ALL\nPRESENCE QUERY correlationId=1 names=[w f x]\nPRESENCE QUERY_ALL"),
		script(loggedIn + "EVENT SUBSCRIBE names=[" + list + "]\nRPC PROVIDE names=[" + list + "]\nPRESENCE QUERY names=[" + list + "]"),
		script("AUTH REQUEST data=1\nCONNECTION PING\nCONNECTION CHALLENGE\nEVENT EMIT name=a\nAUTH REQUEST data=`[]`"),
		script(loggedIn + "RECORD SUBSCRIBECREATEANDREAD correlationId=1 names=[r s r]\nRECORD UPDATE name=r version=1 data={} isWriteAck correlationId=2\nRECORD PATCH name=r version=2 path=`a.b[3]` data=1\nRECORD ERASE name=r version=-1 path=a\nRECORD PATCH_MULTI name=r version=-1 data=`[{\"path\":\"x\",\"data\":1}]`\nRECORD READ name=r\nRECORD UNSUBSCRIBE names=[r]"),
		script(loggedIn + "RECORD CREATEANDUPDATE name=w version=-1 data=`[1]`\nRECORD SUBSCRIBEANDHEAD names=[w x]\nRECORD SUBSCRIBEANDREAD names=[w x]\nRECORD DELETE name=w\nRECORD SUBSCRIBECREATEANDREAD names=[w]\nRECORD NOTIFY correlationId=1 names=[w x]\nRECORD HEAD name=w"),
		script(loggedIn + "RECORD LISTEN name=`^n`\nRECORD SUBSCRIBECREATEANDREAD names=[" + list + "]\nRECORD LISTEN_ACCEPT name=`^n` subscription=n7\nRECORD CREATEANDPATCH name=n1 version=-1 path=`d[x].0` data=null\nRECORD SUBSCRIBEANDHEAD names=[" + list + "]\nRECORD NOTIFY names=[" + list + "]\nRECORD UPDATE name=n2 version=9 data=`{`"),
		script(loggedIn + "RECORD UPDATE name=r version=1 data=1\nPARSER UNKNOWN_TOPIC\nEVENT 99 name=x"),
		peer.AppendFrame(nil, ws.Text, []byte("{}")),
		peer.AppendFrame(peer.AppendFrame(nil, ws.Ping, []byte("hi")), ws.Close, []byte{3, 232}),
		peer.AppendFrame(nil, ws.Binary, []byte("\x06\x10\x02\x1a\x02\x08\x05\x04\x08\xff\x08\xff\x00")),
		[]byte("\x02\x81\x00\x00\x00\x00\xff"),
	}
}

// FuzzSession sends an input as everything a client sends behind its upgrade, raw and again behind a
// login, while a witness uses the same node. The node must not panic, must go on serving the witness,
// and must hold nothing when both have gone.
func FuzzSession(f *testing.F) {
	for _, seed := range seeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		if len(input) > inputBytesMax {
			return
		}
		n, err := severalLoops()
		if err != nil {
			t.Fatal(err)
		}
		witness := dial(t, n)
		if err := witness.Send(append(login("w"), "EVENT LISTEN name=`[^]`", "PRESENCE SUBSCRIBE_ALL", "RPC PROVIDE names=[f n1]",
			"RECORD LISTEN name=`[^]`", "RECORD SUBSCRIBECREATEANDREAD names=[r w n1]")...); err != nil {
			t.Fatal(err)
		}
		raw, inside := dial(t, n), dial(t, n)
		if err := inside.Send(login("i")...); err != nil {
			t.Fatal(err)
		}
		raw.Write(input)
		inside.Write(input)
		n.awaitRead()
		lines, err := witness.Fence()
		if err != nil || witness.Closed() {
			t.Fatalf("the witness got %q, %v", lines, err)
		}
		raw.Abort() // what it sent may be a frame without an end
		inside.Abort()
		if lines, err := witness.Close(); err != nil {
			t.Fatalf("the witness got %q, %v", lines, err)
		}
		n.awaitEmpty(t)
		n.checkSane(t)
	})
}
