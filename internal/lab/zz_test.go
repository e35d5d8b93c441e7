package lab

import ("testing";"os";"fmt";"path/filepath")

func TestZZ(t *testing.T){
 l,_:=New(); defer l.Close()
 a,err:=l.Dovecot(DovecotOptions{Users: []string{"postmaster@example.org"}})
 if err!=nil {t.Fatal(err)}
 fmt.Println(a)
 m,_:=filepath.Glob(l.Dir+"/*/users"); b,_:=os.ReadFile(m[0]); fmt.Println(string(b))
 run(l.Dir,"/bin/bash","-c","exec 3<>/dev/tcp/"+a[:9]+"/"+a[10:]+"; printf 'LHLO x\\r\\nMAIL FROM:<>\\r\\nRCPT TO:<postmaster@example.org>\\r\\nQUIT\\r\\n' >&3; cat <&3; sleep 1")
 var p *Process
 _ = p
 fmt.Println(lastProc.Log())
}
var lastProc *Process
