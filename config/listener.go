package config

import (
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"
)

// UnixSocket is a way in beside the TCP port, or instead of it, for a proxy on the same machine.
type UnixSocket struct {
	Path string `key:"path" default:"" doc:"Unix socket to listen on as well, never with TLS. A relative path starts at the configuration file."`
	Mode string `key:"mode" default:"0660" doc:"Who may connect, as octal file mode."`
	Only bool   `key:"only" default:"false" doc:"Do not listen on host and port."`
}

// FileMode returns Mode as a number, or false if it is none.
func (u *UnixSocket) FileMode() (fs.FileMode, bool) {
	n, err := strconv.ParseUint(u.Mode, 8, 32)
	return fs.FileMode(n), err == nil && n > 0 && n <= 0o777
}

// ProxyProtocol says who tells by a PROXY header whom a connection is from.
type ProxyProtocol struct {
	Trusted []string `key:"trusted" default:"" doc:"Addresses and networks of proxies, such as 10.0.0.0/8; \"unix\" for the Unix socket. Each of their connections must begin with a PROXY header, version 1 or 2; nobody else's may."`
}

// Parse returns the networks that are trusted, and whether the Unix socket is. The error quotes the
// entry that is neither.
func (p *ProxyProtocol) Parse() (networks []netip.Prefix, unix bool, err error) {
	for i, text := range p.Trusted {
		if text == "unix" {
			unix = true
			continue
		}
		network, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); addrErr == nil {
			network, err = addr.Prefix(addr.BitLen())
		}
		if err != nil || network != network.Masked() || network.Addr().Zone() != "" || network.Addr().Is4In6() {
			return nil, false, fmt.Errorf("trusted[%d] = %s: expected an address, a network such as \"10.0.0.0/8\" with nothing behind its prefix, or \"unix\"", i, quote(text))
		}
		networks = append(networks, network)
	}
	return networks, unix, nil
}

// Enabled reports whether TLS is asked for.
func (s *SSL) Enabled() bool { return s.Cert != "" || s.CertFile != "" }

// listener checks what the HTTP server listens on.
func (k *checker) listener(o *HTTPServerOptions) {
	const path = "httpServer.options."
	k.ssl(&o.SSL, path+"ssl")
	if _, ok := o.UnixSocket.FileMode(); !ok {
		k.problem(path+"unixSocket.mode", fmt.Sprintf("%sunixSocket.mode = %s: expected an octal file mode such as \"0660\"", path, quote(o.UnixSocket.Mode)))
	}
	if o.UnixSocket.Only && o.UnixSocket.Path == "" {
		k.problem(path+"unixSocket.only", path+"unixSocket.only = true: nobody could connect, since path is empty")
	}
	_, unix, err := o.ProxyProtocol.Parse()
	if err != nil {
		k.problem(path+"proxyProtocol.trusted", path+"proxyProtocol."+err.Error())
	}
	if unix && o.UnixSocket.Path == "" {
		k.warn(path+"proxyProtocol.trusted", path+"proxyProtocol.trusted names \"unix\", but there is no unixSocket.path")
	}
}

func (k *checker) ssl(s *SSL, path string) {
	if _, written := k.at[path]; !written && *s == (SSL{}) {
		return
	}
	for _, part := range []struct {
		key, contents, file string
		needed              bool
	}{{"cert", s.Cert, s.CertFile, true}, {"key", s.Key, s.KeyFile, true}, {"ca", s.CA, s.CAFile, s.RequireClientCert}} {
		switch {
		case part.contents != "" && part.file != "":
			k.problem(path, fmt.Sprintf("%s: set either %s or %sFile, not both", path, part.key, part.key)) // not at the key: the message would quote it
		case part.needed && part.contents == "" && part.file == "" && !k.broken[path+"."+part.key]:
			k.problem(path, fmt.Sprintf("%s: %s is missing: set %s = \"fileLoad(<file>)\", or %sFile to the name of the file", path, part.key, part.key, part.key))
		}
	}
	loaded := func(key string) bool { n := k.at[path+"."+key]; return n != nil && n.file != "" }
	if s.Watch && len(s.Files()) == 0 && !loaded("cert") && !loaded("key") && !loaded("ca") {
		k.warn(path+".watch", path+".watch has no effect: no file is named")
	}
}

// Files returns the names of the files of s, as they are written.
func (s *SSL) Files() (names []string) {
	for _, name := range []string{s.CertFile, s.KeyFile, s.CAFile} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}
