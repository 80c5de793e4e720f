package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"deepstream-fast/codec"
	"deepstream-fast/engine"
	"deepstream-fast/fuzz/peer"
	"deepstream-fast/listen"
	"deepstream-fast/store"
)

// hopsMax is the longest chain of mail that one message can cause: sender, home, provider's loop,
// requestor's loop, with some to spare.
const hopsMax = 6

// rig is a whole node on loopback and its clients, by name.
type rig struct {
	t       testing.TB
	eng     *engine.Engine
	node    *Node
	store   store.Store // nil: none
	clients map[string]*peer.Client
	stopped bool
}

// rigOptions are what a test may change.
type rigOptions struct {
	engine  engine.Options
	session Options
	node    func(*Node) // changes what no option does; nil: nothing
}

// defaults returns a node that serves every topic and whose timers don't fire within a test.
func defaults(loops int) rigOptions {
	return rigOptions{
		engine: engine.Options{Host: "127.0.0.1", Loops: loops, Bulk: codec.IsBulk},
		session: Options{
			Loops: loops, Events: true, RPC: true, Presence: true, Records: true,
			UnauthenticatedTimeout: -1,
			Listen:                 listen.Options{Ordered: true, ResponseTimeout: time.Minute},
		},
	}
}

func startRig(t testing.TB, o rigOptions) *rig {
	t.Helper()
	if err := o.session.Validate(); err != nil {
		t.Fatal(err)
	}
	node := NewNode(o.session)
	if o.node != nil {
		o.node(node)
	}
	o.engine.NewHandler, o.engine.WantsTurn = node.NewHandler, node.WantsTurn
	eng, err := engine.Start(o.engine)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, eng: eng, node: node, store: o.session.Store, clients: map[string]*peer.Client{}}
	t.Cleanup(r.stop)
	return r
}

// stop lets every client go and checks that the node forgets all of them. It does so once.
func (r *rig) stop() {
	if r.stopped {
		return
	}
	r.stopped = true
	for name := range r.clients {
		r.close(name)
	}
	r.settle()
	if got, want := r.holdings(), make([]Holdings, r.eng.Loops()); !slices.Equal(got, want) {
		r.t.Errorf("held after the last connection went: %+v", got)
	}
	if s := r.node.Stats(); s.Online != 0 || s.Patterns != 0 {
		r.t.Errorf("counted after the last connection went: %+v", s)
	}
	ctx, cancel := context.WithTimeout(context.Background(), peer.Patience)
	defer cancel()
	if err := r.eng.Stop(ctx); err != nil {
		r.t.Error(err)
	}
	if s := r.eng.Stats(); s.Panics != 0 {
		r.t.Errorf("%d panics", s.Panics)
	}
	if r.store != nil {
		r.node.Flush()
		if err := r.store.Close(); err != nil {
			r.t.Error(err)
		}
	}
}

// connect opens a WebSocket under a name. Connections go to the loops in turn.
func (r *rig) connect(name string) {
	r.t.Helper()
	c, err := peer.Dial(r.eng.Addr())
	if err != nil {
		r.t.Fatal(err)
	}
	r.clients[name] = c
}

// login opens a connection under a name and logs it in as the user of that name. One whose name begins
// with "new" says that it knows PATCH_MULTI.
func (r *rig) login(name string) {
	r.t.Helper()
	r.connect(name)
	sdk := ""
	if strings.HasPrefix(name, "new") {
		sdk = " sdkType=javascript sdkVersion=7.1.0"
	}
	r.send(name, "CONNECTION CHALLENGE url=ws://test"+sdk)
	r.fence()
	r.send(name, fmt.Sprintf("AUTH REQUEST data=`{%q:%q}`", "username", name))
}

func (r *rig) client(name string) *peer.Client {
	r.t.Helper()
	c, ok := r.clients[name]
	if !ok {
		r.t.Fatalf("there is no client %q", name)
	}
	return c
}

// send has a client send messages in one write.
func (r *rig) send(name string, texts ...string) {
	r.t.Helper()
	if err := r.client(name).Send(texts...); err != nil {
		r.t.Fatal(err)
	}
}

// close ends a connection in the orderly way and forgets the client. It returns what still came.
func (r *rig) close(name string) []string {
	r.t.Helper()
	lines, err := r.client(name).Close()
	if err != nil {
		r.t.Fatalf("%s: %v", name, err)
	}
	delete(r.clients, name)
	return lines
}

// abort resets a connection, forgets the client and waits until the engine has noticed.
func (r *rig) abort(name string) {
	r.t.Helper()
	before := r.eng.Stats().Connections()
	r.client(name).Abort()
	delete(r.clients, name)
	deadline, tick := time.Now().Add(peer.Patience), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for r.eng.Stats().Connections() >= before {
		if <-tick.C; time.Now().After(deadline) {
			r.t.Fatal("the server never noticed a reset")
		}
	}
}

// fence returns everything that clients received by reason of what was done so far: a line each, by
// client name. Whatever was sent has then been handled by every loop it concerns.
func (r *rig) fence() []string {
	r.t.Helper()
	got := map[string][]string{}
	collect := func() {
		for name, c := range r.clients {
			lines, err := c.Fence()
			if err != nil {
				r.t.Fatalf("%s: %v after %q", name, err, lines)
			}
			got[name] = append(got[name], lines...)
		}
	}
	collect() // all loops have read what was sent
	r.settle()
	collect() // and all clients what came of it
	var all []string
	for name, lines := range got {
		for _, line := range lines {
			all = append(all, name+" <- "+line)
		}
	}
	slices.SortStableFunc(all, func(a, b string) int {
		nameA, _, _ := strings.Cut(a, " ")
		nameB, _, _ := strings.Cut(b, " ")
		return strings.Compare(nameA, nameB)
	})
	return all
}

// settle returns when all mail between loops that is under way, and the mail which that causes, has
// been handled, and the store has answered what it was asked.
func (r *rig) settle() {
	deadline := time.Now().Add(peer.Patience)
	for pending := -1; pending != 0; {
		r.settleMail()
		pending = 0
		for _, h := range r.holdings() {
			pending += h.Records + h.Unfinished
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%d pieces of work are never done", pending)
		}
	}
	r.settleMail() // what came of the last answers
}

// settleMail: mail of one loop to another is first in, first out, so a token in every such queue comes
// behind all of it.
func (r *rig) settleMail() {
	loops := r.eng.Loops()
	for range hopsMax {
		var tokens sync.WaitGroup
		tokens.Add(loops * loops)
		for i := range loops {
			r.eng.Post(i, engine.Mail{Kind: mailCall, Body: func(l *Loop) {
				l.onOthers(func(*Loop) { tokens.Done() })
				tokens.Done()
			}})
		}
		tokens.Wait()
	}
}

// holdings returns what every loop holds.
func (r *rig) holdings() []Holdings {
	type one struct {
		loop int
		h    Holdings
	}
	all, answers := make([]Holdings, r.eng.Loops()), make(chan one, r.eng.Loops())
	for i := range all {
		r.eng.Post(i, Inspect(func(loop int, h Holdings) { answers <- one{loop, h} }))
	}
	for range all {
		a := <-answers
		all[a.loop] = a.h
	}
	return all
}
