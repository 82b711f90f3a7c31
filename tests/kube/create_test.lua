-- todo-lua kube create beside kubectl: the kinds that are made from a few words, byte for byte.
local apiserver = require "tests.cluster.apiserver"
local fs = require "fs"
local judge = require "tests.kube.judge"
local json = require "json"
local lu = require "luaunit"
local secret = require "secret"

local tests = {}
local server, both

function tests.setup_all()
    server = apiserver.start()
    both = judge.apart(server)
end

function tests.teardown_all()
    if both then both:close() end
    if server then server:stop() end
end

-- What both would make, as YAML, and what the server makes of it.
local function each(lines)
    for line in lines:gmatch("%s*([^\n]+)") do
        line = line:gsub(" %-%- ", " --dry-run=client -o yaml -- ")
        both:pair("create " .. (line:find("dry-run", 1, true) and line or line .. " --dry-run=client -o yaml"))
    end
end

function tests.create_rights_as_kubectl()
    each [[
        role a --verb=get,list --verb=get --resource=po,deploy.apps,svc
        role a --verb=* --resource=pods/log,deployments.apps/scale --resource-name=x --resource-name=x
        role a --verb=get --resource=*
        role a --verb=frob --resource=pods
        role a --verb=bind --resource=roles.rbac.authorization.k8s.io
        role a --verb=use --resource=pods
        role a --verb=get --resource=/log
        role a --resource=pods
        role a --verb=get
        role
        clusterrole a --verb=get --resource=nodes --non-resource-url=/logs/*,/healthz
        clusterrole a --verb=get --non-resource-url=/logs/*
        clusterrole a --verb=watch --non-resource-url=/logs/*
        clusterrole a --verb=get --non-resource-url=logs
        clusterrole a --verb=get --non-resource-url=/l*gs
        clusterrole a --verb=get
        clusterrole a --aggregation-rule=a=b,c=d
        clusterrole a --aggregation-rule=a=b --verb=get
        rolebinding a --role=r --user=u --user=v --group=g --serviceaccount=n:s
        rolebinding a --clusterrole=c
        rolebinding a --clusterrole=c --role=r
        rolebinding a --role=r --serviceaccount=s
        clusterrolebinding a --clusterrole=c --group=g --serviceaccount=n:s]]
    both:pairs("", [[
        create role r --verb=get --resource=pods
        create role r --verb=get --resource=pods
        create rolebinding r --role=r --user=u
        create rolebinding r --role=r --user=u
        create clusterrole NS-c --verb=get --resource=pods
        create clusterrolebinding NS-b --clusterrole=NS-c --user=u]])
end

function tests.create_ingresses_as_kubectl()
    each [[
        ingress a --rule=foo.com/path*=svc:8080 --rule=bar.com/admin=svc2:http
        ing a --class=c --rule=foo.com/=svc:8080,tls=cert --rule=foo.com/two=svc:8080 --rule=bar.com/=x:1,tls=cert
        ing a --default-backend=d:80 --annotation=a=b --annotation=c=d=e
        ing a --rule=/path=svc:8080,tls
        ing a --rule=*.foo.com/path=svc:8080,tls=s --rule=foo.com/*=svc:8080,tls
        ing a --rule=foo.com/path=svc
        ing a --rule=foo.com=svc:80
        ing a --default-backend=d
        ing a --default-backend=d:80 --annotation=a
        ing a]]
    both:pair("create ing i --rule=foo.com/=svc:80")
    both:pair("create ing i --rule=foo.com/=svc:80")
end

function tests.create_budgets_and_quotas_as_kubectl()
    each [[
        quota a --hard=cpu=1,memory=1Gi,pods=2,services=3000m --scopes=BestEffort,NotTerminating
        quota a
        quota a --hard=cpu
        quota a --hard=cpu=x
        quota a --scopes=A,
        pdb a --selector=app=a --min-available=1
        pdb a --selector='app=a,b in (d,c),!e,f' --max-unavailable=50%
        pdb a --selector=app=a
        pdb a --min-available=1
        pdb a --selector=app=a --min-available=1 --max-unavailable=2
        pdb a --selector=app=a --min-available=10Gi
        priorityclass a --value=1000 --description=d --global-default
        pc a --value=-1 --preemption-policy=Never
        pc a
        cronjob a --image=i --schedule='*/1 * * * *'
        cj a --image=i --schedule='@hourly' --restart=Never -- a b
        cronjob a --image=i
        cronjob a]]
    both:pair("create quota q --hard=cpu=1")
    both:pair("create quota q --hard=cpu=1")
    both:pair("create pdb p --selector=a=b --min-available=1")
    both:pair("create cj c --image=i --schedule='@hourly' --restart=Always")
end

function tests.create_services_and_secrets_as_kubectl()
    each [[
        svc loadbalancer a --tcp=80:8080
        svc loadbalancer a
        svc externalname a --external-name=bar.com
        svc externalname a --external-name=bar.com --tcp=80
        svc externalname a --external-name=bar..
        svc externalname a
        secret docker-registry a --docker-username=u --docker-password=p&<w --docker-email=e --docker-server=s
        secret docker-registry a --docker-username=u --docker-password=p
        secret docker-registry a --docker-username=u]]
    local dir = fs.tempdir()
    fs.write(dir.path .. "/config.json", '{"auths": {}}')
    each("secret docker-registry a --from-file=" .. dir.path .. "/config.json")
    dir:close()
    both:pair("create svc loadbalancer lb --tcp=80")
    both:pair("create svc loadbalancer lb --tcp=80")
    both:pair("create secret docker-registry r --docker-username=u --docker-password=p")
    both:pair("create secret docker-registry r --docker-username=u --docker-password=p")
end

function tests.create_token_asks_the_server()
    both:pairs("", [[
        create sa t
        create token nope
        create token t --duration=1s
        create token t --duration=-1s
        create token t --duration=1500ms
        create token t --audience=
        create token t --bound-object-name=x
        create token t --bound-object-kind=Deployment
        create token t --bound-object-kind=Pod
        create token t --bound-object-kind=Pod --bound-object-name=nope
        create token]])
    local result = both:ours("create token t -n ours --context test --duration=20m --audience=me")
    local payload = result.stdout:match("^[^.]+%.([^.]+)%.[^.]+$")
    lu.assertNotNil(payload, result.stdout .. result.stderr)
    payload = payload:gsub("-", "+"):gsub("_", "/")
    local claims = json.decode(secret.unbase64(payload .. ("="):rep(-#payload % 4)))
    lu.assertEquals(claims.sub, "system:serviceaccount:ours:t")
    lu.assertEquals(claims.aud, { "me" })
    lu.assertEquals(claims.exp - claims.iat, 1200)
    -- A token in place of the kubeconfig's user: the account, who may do nothing, or nobody at all.
    local own = both:kubectl("create token t -n ours").stdout
    both:same({ "--token", own, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}" })
    both:same({ "--token", own, "get", "pods", "-n", "ours" })
    both:same({ "--token", "wrong", "get", "pods", "-n", "ours" })
end

return tests
