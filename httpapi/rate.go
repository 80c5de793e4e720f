package httpapi

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"deepstream-fast/session"
)

// account is what a connection has sent against what it may send. Owned by the goroutine that serves the
// connection: net/http takes the requests of an HTTP/1.1 connection one after the other, so nothing is
// locked. 72 bytes per connection, with the context that carries it; none without the limit.
type account struct {
	paid time.Time // when everything carried out so far will have been sent at the rate allowed
}

type accountKey struct{}

// openAccount lets the requests of a new connection find their account. It is an http.Server.ConnContext.
func openAccount(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, accountKey{}, &account{})
}

// accountOf returns what a request is charged to, nil without the limit.
func accountOf(r *http.Request) *account {
	a, _ := r.Context().Value(accountKey{}).(*account)
	return a
}

// charge takes a request that costs so much time at the rate allowed, or returns how long it has to wait.
// Who owes nothing may send more than burst at once and pays it off afterwards: else a request with many
// commands would never get through. What has to wait costs nothing, so waiting always ends.
func (a *account) charge(now time.Time, cost, burst time.Duration) (wait time.Duration) {
	owed := max(a.paid.Sub(now), 0)
	if owed > 0 && owed+cost > burst {
		return owed - max(burst-cost, 0)
	}
	a.paid = now.Add(owed + cost)
	return 0
}

// inRate charges a request to its connection, or answers that it comes too early. It is asked before
// credentials are judged: so guessing them has a rate as well, what is refused costs no hashing and no
// webhook, and the answer tells nothing about them.
func (s *Server) inRate(x *exchange, a *account, messages int) bool {
	interval := s.opts.API.MessageInterval
	wait := a.charge(s.opts.Now(), interval*time.Duration(messages), interval*time.Duration(s.opts.API.MessageBurst))
	if wait == 0 {
		return true
	}
	seconds := strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
	x.w.Header().Set("Retry-After", seconds)
	x.refuse(RefusedRate, http.StatusTooManyRequests, "Too many messages on this connection. Try again in "+seconds+" s.")
	return false
}

// messagesOf returns how many messages commands cost: one each, and one more per session.NamesPerMessage names of a
// list. It costs what counting them costs, but for commands that are long enough for so many names.
func messagesOf(commands []byte) (n int) {
	const shortest = session.NamesPerMessage * len(`"",`)
	elements(commands, func(_ int, command []byte) bool {
		n++
		if len(command) < shortest || command[0] != '{' {
			return true
		}
		members(command, func(name, value []byte) {
			if i, ok := keyByName[string(name)]; ok && (keyRecordNames|keyNames)&(1<<i) != 0 && value[0] == '[' {
				n += count(value) / session.NamesPerMessage
			}
		})
		return true
	})
	return n
}
