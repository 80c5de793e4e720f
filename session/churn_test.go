package session

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"deepstream-fast/fuzz/peer"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
	"deepstream-fast/store/memory"
)

// Connections that come and go while what they have sent waits for permission, rules that change, requests
// without a connection, some given up, and hardly any room to wait: nothing is left behind, which the end of
// the rig checks, and everybody who stays is served.
func TestNothingIsLeftOfWhatWaits(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			o := defaults(3)
			o.session.Store, o.session.Permission = memory.New(memory.Options{}), prefixRules{}
			o.session.SubscriptionsMax, o.session.CallsMax = 30, 4
			o.node = func(n *Node) { n.waitBytesMax, n.heldBytesMax, n.lookBytesMax = 8000, 8000, 400 }
			r := startRig(t, o)
			var all sync.WaitGroup
			for i := range uint64(6) {
				all.Go(func() { r.churn(rand.New(rand.NewPCG(seed, i))) })
			}
			all.Go(func() { r.churnRules(rand.New(rand.NewPCG(seed, 100))) })
			all.Go(func() { r.churnRequests(rand.New(rand.NewPCG(seed, 101))) })
			all.Wait()
			r.node.UsePermission(prefixRules{})
			r.login("last")
			r.arrived("last")
			r.send("last", "EVENT SUBSCRIBE correlationId=1 names=[e]")
			r.want(`last <- EVENT SUBSCRIBE isAck correlationId="1"`)
			r.stop()
			if n := r.node.looked.Load(); n != 0 {
				t.Errorf("%d bytes of records are counted for ever", n)
			}
		})
	}
}

// churnMessages are what the connections send, with places for two numbers.
var churnMessages = []string{
	"EVENT SUBSCRIBE correlationId=1 names=[ask/%d e/%d deny/1]", "EVENT UNSUBSCRIBE correlationId=1 names=[ask/%d e/%d]",
	"EVENT EMIT name=ask/%d data=%d", "EVENT LISTEN name=ask/%d.%d", "EVENT UNLISTEN name=ask/%d.%d",
	"RECORD SUBSCRIBECREATEANDREAD correlationId=1 names=[own/%d ask/%d n]", "RECORD UNSUBSCRIBE correlationId=1 names=[own/%d ask/%d]",
	"RECORD CREATEANDUPDATE name=own/%d version=-1 data={\"n\":%d} isWriteAck correlationId=1",
	"RECORD CREATEANDUPDATE name=rights version=-1 data={\"ask/%d\":true,\"ask/%d\":true}",
	"RECORD DELETE name=own/%d", "RECORD READ name=ask/%d", "RECORD LISTEN name=own/%d",
	"RPC PROVIDE correlationId=1 names=[ask/%d c/%d]", "RPC UNPROVIDE correlationId=1 names=[ask/%d c/%d]",
	"RPC REQUEST name=ask/%d correlationId=%d", "RPC REQUEST name=c/%d correlationId=%d",
	"PRESENCE SUBSCRIBE correlationId=1 names=[ask/%d]", "PRESENCE QUERY correlationId=1 names=[ask/%d u]",
}

func churnMessage(random *rand.Rand) string {
	if random.IntN(10) == 0 {
		return "RECORD SUBSCRIBEANDREAD correlationId=1 names=[" + someNames("ask/", 17+random.IntN(60)) + "]"
	}
	text := churnMessages[random.IntN(len(churnMessages))]
	args := []any{random.IntN(5), random.IntN(5)}
	for n := range args {
		if countVerbs(text) == n {
			return fmt.Sprintf(text, args[:n]...)
		}
	}
	return fmt.Sprintf(text, args...)
}

func countVerbs(text string) (n int) {
	for i := range len(text) {
		if text[i] == '%' {
			n++
		}
	}
	return n
}

// churn connects, sends and goes, again and again.
func (r *rig) churn(random *rand.Rand) {
	for range 12 {
		c, err := peer.Dial(r.eng.Addr())
		if err != nil {
			r.t.Error(err)
			return
		}
		texts := []string{"CONNECTION CHALLENGE url=ws://test", "AUTH REQUEST data=`{\"username\":\"u\"}`"}
		for range random.IntN(150) {
			texts = append(texts, churnMessage(random))
		}
		err = c.Send(texts...)
		if random.IntN(3) > 0 && err == nil {
			_, err = c.Fence()
		}
		if err != nil {
			r.t.Error(err)
		}
		c.Abort()
	}
}

func (r *rig) churnRules(random *rand.Rand) {
	c, err := peer.Dial(r.eng.Addr())
	if err != nil {
		r.t.Error(err)
		return
	}
	defer c.Abort()
	for range 60 {
		rules := prefixRules{}
		if random.IntN(2) == 0 {
			rules.denied = []string{fmt.Sprint("ask/", random.IntN(5)), fmt.Sprint("e/", random.IntN(5))}
		}
		r.node.UsePermission(rules)
		if _, err := c.Fence(); err != nil {
			r.t.Error(err)
			return
		}
	}
}

func (r *rig) churnRequests(random *rand.Rand) {
	for range 40 {
		q := &Request{User: &permission.User{ID: "web"}}
		for range 1 + random.IntN(40) {
			m, err := peer.Parse([]string{"EVENT EMIT name=ask/1 data=1", "RECORD READ name=own/1", "RPC REQUEST name=c/1 correlationId=w",
				"RECORD CREATEANDUPDATE name=own/2 version=-1 data={} isWriteAck correlationId=0"}[random.IntN(4)])
			if err != nil {
				r.t.Error(err)
				return
			}
			m.CorrelationID = fmt.Append(nil, random.Uint64())
			q.Messages = append(q.Messages, m)
		}
		if err := r.node.Do(q); err != nil {
			r.t.Error(err)
			return
		}
		if random.IntN(2) == 0 {
			r.node.GiveUp(q)
		}
		select {
		case <-q.Done():
		case <-time.After(peer.Patience):
			r.t.Error("a request is never done")
			return
		}
		for i := range q.Answers {
			if a := &q.Answers[i]; a.Topic == protocol.TopicParser {
				r.t.Errorf("answered %s", a)
			}
		}
	}
}
