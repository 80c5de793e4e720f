package listen
import ("testing";"time";"strings";"fmt")
func TestWorst(t *testing.T){
 R:=strings.Repeat
 name:=[]byte(R("a",1000))
 for _,p:=range []string{
  "["+R(`\W`,500)+"]{1000}", "^["+R(`\W`,490)+"]{480}$", "^(?:["+R(`\W`,120)+"]?["+R(`\W`,120)+"]?){300}x$", "(?:a?){600}b", "(?:a*){600}b$", "(?:(?:(?:a*)*)*){300}b", "a{0,1000}a{0,900}b", "(?:.{0,30}){30}b$", "^(?:a|a|a|a|a|a|a|a|a){100}b$","(?:\\b|\\B){400}x$", R("(",100)+"a"+R(")*",100)+"b", R("a?",500),R("[^\\W]*",120)+"!", R("[^]",340),"(?:"+R("a|",300)+"){3}b$",
 }{
  s:=time.Now(); c,err:=Compile([]byte(p),1024); d:=time.Since(s)
  if err!=nil { fmt.Println(p[:min(30,len(p))],err,d); continue}
  s=time.Now(); c.Match(name); e:=time.Since(s)
  fmt.Println(p[:min(30,len(p))],len(p),"compile",d,"match",e)
 }
}
