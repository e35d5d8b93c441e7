package lab

import (
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// KwmserverOptions say which parts of the signalling server are on.
type KwmserverOptions struct {
	Guest          bool            // enable_guest_api
	MCU            bool            // enable_mcu_api
	TURN           bool            // credentials for a TURN service are set
	NoRTM          bool            // started without the RTM API
	Keys           map[string]bool // keys that rtm/connect gave out
	HandshakeFirst bool            // looks at the upgrade before it looks at the key, as a gateway in front may do
	MCUUpgrades    func()          // called when somebody completes an upgrade of the MCU API
}

// Kwmserver is a stand-in for kopano-kwmserverd, for which there is no Debian
// package and whose source is not ours to build here. It answers as version
// 2.0.0 does: the paths, the status codes and the words (signaling/rtm/http.go,
// rtm/handlers.go, guest/http.go, mcu/http.go of kwmserver). Websockets are
// those of a real library.
func Kwmserver(o KwmserverOptions) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/health-check", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	const api = "/api/kwm/v2"
	if !o.NoRTM {
		mux.HandleFunc(api+"/rtm/connect", forbidden("auth failed"))
		mux.HandleFunc(api+"/rtm/websocket/{key}", o.rtmWebsocket)
	}
	if o.TURN {
		mux.HandleFunc(api+"/rtm/turn", forbidden(""))
	}
	if o.Guest {
		mux.HandleFunc(api+"/guest/logon", func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost {
				http.Error(w, "", http.StatusMethodNotAllowed)
				return
			}
			http.Error(w, "guest access denied", http.StatusForbidden)
		})
	}
	if o.MCU {
		mux.HandleFunc(api+"/mcu/websocket", func(w http.ResponseWriter, r *http.Request) {
			if upgrade(w, r) && o.MCUUpgrades != nil {
				o.MCUUpgrades()
			}
		})
	}
	return mux
}

func forbidden(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, text, http.StatusForbidden) }
}

// rtmWebsocket: the key is looked at first, so that a wrong one gives 404
// whatever the rest of the request is (rtm/handlers.go, HandleWebsocketConnect).
func (o KwmserverOptions) rtmWebsocket(w http.ResponseWriter, r *http.Request) {
	if o.HandshakeFirst && !wantsUpgrade(r) {
		badHandshake(w)
		return
	}
	if !o.Keys[r.PathValue("key")] {
		http.NotFound(w, r)
		return
	}
	upgrade(w, r)
}

func upgrade(w http.ResponseWriter, r *http.Request) bool {
	if !wantsUpgrade(r) {
		badHandshake(w)
		return false
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return false
	}
	_ = conn.Close(websocket.StatusNormalClosure, "")
	return true
}

func wantsUpgrade(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") &&
		strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade")
}

// badHandshake answers as gorilla/websocket, which kwmserver uses, does to a
// request that is no upgrade.
func badHandshake(w http.ResponseWriter) {
	w.Header().Set("Sec-Websocket-Version", "13")
	http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
}
