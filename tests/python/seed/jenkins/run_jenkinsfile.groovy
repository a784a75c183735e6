// Runs a declarative Jenkinsfile as Jenkins would, as far as the seed code goes: stages in order, environment, parameters,
// `sh` for real, in the workspace. What a plugin of Jenkins does with AWS (withCredentials, cfnUpdate) and what a person does
// (input) is played and written down. A step or section that is not here ends the run with an error.
//
// Arguments: Jenkinsfile, workspace, JSON file with {params, answers, environment}, file for the report (JSON).
// It stands alone since Jenkins itself is not to be had from the package registries; Groovy is the version that Jenkins has.
import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import org.codehaus.groovy.control.CompilerConfiguration

class BuildFailed extends RuntimeException {
    BuildFailed(String message) { super(message) }
}

class World {
    File workspace
    Map params, answers
    Map environment
    List calls = []
    Map build = [result: null, description: null]
    String stage = null
    /** Whether the build holds an executor of an agent; without one it has no workspace either. */
    boolean executor = false
    File checkout, nodes
    int node = 0

    void record(Map call) { calls << ([stage: stage] + call) }
}

class CurrentBuild {
    World world
    String getResult() { world.build.result }
    void setResult(String result) { world.build.result = result }
    String getCurrentResult() { world.build.result ?: 'SUCCESS' }
    String getDescription() { world.build.description }
    void setDescription(String text) { world.build.description = text }
    String getDisplayName() { world.build.displayName ?: '#1' }
    void setDisplayName(String text) { world.build.displayName = text }
}

/** `env`: what is set by assignment, by parameters, or by the agent. */
class Environment {
    World world
    def propertyMissing(String name) { world.environment[name] }
    void propertyMissing(String name, value) { world.environment[name] = value.toString() }
}

/** Names that a Jenkinsfile may use without a qualifier. */
class Names extends Binding {
    World world
    Object getVariable(String name) {
        if (super.hasVariable(name)) return super.getVariable(name)
        if (world.environment.containsKey(name)) return world.environment[name]
        throw new MissingPropertyException(name, Script)
    }
    boolean hasVariable(String name) { super.hasVariable(name) || world.environment.containsKey(name) }
}

/** Takes `NAME = value` inside environment { }. */
class Assignments {
    World world
    def owner
    def propertyMissing(String name) { owner.getProperty(name) }
    void setProperty(String name, Object value) { world.environment[name] = value.toString() }
    Object getProperty(String name) { name == 'world' ? this.@world : owner.getProperty(name) }
    def methodMissing(String name, arguments) { owner.invokeMethod(name, arguments) }
}

abstract class Jenkinsfile extends Script {
    World getWorld() { binding.world }

    private within(Map variables, Closure body) {
        Map before = new HashMap(world.environment)
        world.environment.putAll(variables)
        try { body() } finally { world.environment.keySet().retainAll(before.keySet()); world.environment.putAll(before) }
    }

    // Sections
    def pipeline(Closure body) {
        try {
            body()
            world.build.result = world.build.result ?: 'SUCCESS'
        } catch (BuildFailed failure) {
            world.build.result = world.build.result ?: 'FAILURE'
            world.build.failure = failure.message
        }
        sections.each { it() }
    }
    private List<Closure> sections = []
    /** A stage that asks for an agent of its own gets another one, with a fresh checkout as its workspace. */
    def agent(Object which) {
        assert which in ['any', 'none']
        world.executor = which == 'any'
        if (world.executor && world.stage) {
            world.workspace = new File(world.nodes, "${++world.node}/workspace")
            copy(world.checkout, world.workspace)
        }
        world.environment.WORKSPACE = world.workspace.absolutePath
        world.environment.WORKSPACE_TMP = world.workspace.absolutePath + '@tmp'
    }
    private void copy(File from, File to) {
        to.parentFile.mkdirs()
        assert ['cp', '-r', from.absolutePath, to.absolutePath].execute().waitFor() == 0
    }
    def getAny() { 'any' }
    def getNone() { 'none' }
    def environment(Closure body) {
        body.delegate = new Assignments(world: world, owner: this)
        body.resolveStrategy = Closure.DELEGATE_FIRST
        body()
    }
    // Options that become properties of the job would undo what the job's owner set there.
    def options(Closure body) { body() }
    def skipDefaultCheckout(boolean skip = true) { }
    def stages(Closure body) { body() }
    def stage(String name, Closure body) {
        def (before, executor, workspace) = [world.stage, world.executor, world.workspace]
        world.stage = name
        wanted = true
        world.record(kind: 'stage')
        try {
            within([:], body)
        } finally {
            world.stage = before
            world.executor = executor
            world.workspace = workspace
        }
    }
    private boolean wanted = true
    def when(Closure condition) { wanted = condition() as boolean }
    def expression(Closure condition) { condition() }
    def beforeInput(boolean value) { wanted }
    def beforeAgent(boolean value) { wanted }
    def steps(Closure body) {
        boolean run = wanted
        wanted = true
        if (run) body() else world.record(kind: 'skipped')
    }
    def post(Closure body) { sections << body }
    def always(Closure body) { body() }
    def cleanup(Closure body) { body() }
    def success(Closure body) { if (world.build.result == 'SUCCESS') body() }
    def failure(Closure body) { if (world.build.result == 'FAILURE') body() }

    // Steps
    def script(Closure body) { body() }
    def echo(String text) { System.err.println(text) }
    def error(String message) { throw new BuildFailed(message) }
    def withEnv(List<String> variables, Closure body) {
        within(variables.collectEntries { it.toString().split('=', 2) as List }, body)
    }
    def timeout(Map arguments, Closure body) { body() }
    def timeout(Map arguments) { assert arguments.keySet() == ['time', 'unit'] as Set }
    def stash(Map arguments) {
        File kept = new File(world.nodes, "stash/${arguments.name}")
        assert arguments.includes.endsWith('/**')
        String folder = arguments.includes - '/**'
        copy(new File(world.workspace, folder), new File(kept, folder))
        world.record(kind: 'stash', arguments: arguments)
    }
    def unstash(String name) {
        copy(new File(world.nodes, "stash/${name}/."), world.workspace)
        world.record(kind: 'unstash', arguments: [name: name])
    }
    def dir(String path, Closure body) {
        File before = world.workspace
        world.workspace = new File(before, path)
        try { body() } finally { world.workspace = before }
    }
    def readFile(String path) { new File(world.workspace, path).text }
    def readFile(Map arguments) { new File(world.workspace, arguments.file).text }
    def fileExists(String path) { new File(world.workspace, path).exists() }
    def archiveArtifacts(Map arguments) { world.record(kind: 'archiveArtifacts', arguments: arguments) }
    def junit(Map arguments) { world.record(kind: 'junit', arguments: arguments) }
    def sh(String script) { sh(script: script) }
    def sh(Map arguments) {
        if (!world.executor) throw new BuildFailed('sh needs an agent')
        String script = arguments.script.stripIndent().trim()
        // A test may hand in a workspace in which some stages have run before: installing takes longer than all the rest.
        if (world.stage in answer('done', [])) {
            world.record(kind: 'sh', script: script, status: 0, output: '')
            return arguments.returnStatus ? 0 : null
        }
        ProcessBuilder builder = new ProcessBuilder('sh', '-xe', '-c', script).directory(world.workspace)
        builder.environment().clear()
        builder.environment().putAll(world.environment)
        File output = File.createTempFile('script', '.out')
        builder.redirectError(ProcessBuilder.Redirect.INHERIT).redirectOutput(output)
        int status = builder.start().waitFor()
        String text = output.text
        output.delete()
        System.err.print(text)
        world.record(kind: 'sh', script: script, status: status, output: text)
        if (arguments.returnStatus) return status
        if (status != 0) throw new BuildFailed("script returned exit code ${status}")
        if (arguments.returnStdout) return text
        return null
    }

    // Played
    /** The binding of the plugin aws-credentials, which the setup asks for; withAWS is another plugin's. The key id becomes
     *  the credential's name, so that whoever is called can see which credential was used. */
    def withCredentials(List<Map> bindings, Closure body) {
        assert bindings.every { it.keySet() == ['$class', 'credentialsId'] as Set && it.$class == 'AmazonWebServicesCredentialsBinding' }
        world.record(kind: 'withCredentials', arguments: [credentials: bindings*.credentialsId])
        within(bindings.collectEntries { [AWS_ACCESS_KEY_ID: it.credentialsId, AWS_SECRET_ACCESS_KEY: 'secret'] }, body)
    }
    def cfnUpdate(Map arguments) {
        world.record(kind: 'cfnUpdate', arguments: arguments)
        return answer('cfnUpdate', [:])
    }
    def input(String message) { input(message: message) }
    def input(Map arguments) {
        world.record(kind: 'input', arguments: arguments, executor: world.executor)
        if (answer('input', 'approve') != 'approve') {
            world.build.result = 'ABORTED'
            throw new BuildFailed('Rejected by a person')
        }
    }
    private answer(String what, otherwise) { world.answers.containsKey(what) ? world.answers[what] : otherwise }
}

def (jenkinsfile, workspace, request, report) = args.collect { new File(it) }
def asked = new JsonSlurper().parse(request)
def world = new World(workspace: workspace, checkout: workspace, nodes: new File(report.parentFile, 'nodes'), params: asked.params, answers: asked.answers ?: [:], environment: [:])
world.environment.putAll(asked.environment)
world.environment.putAll(asked.params.collectEntries { name, value -> [name, value.toString()] })
def names = new Names(world: world)
names.setVariable('world', world)
names.setVariable('params', asked.params)
names.setVariable('env', new Environment(world: world))
names.setVariable('currentBuild', new CurrentBuild(world: world))
def shell = new GroovyShell(Jenkinsfile.classLoader, names, new CompilerConfiguration(scriptBaseClass: Jenkinsfile.name))
// The script's class gets this name; that of its file would be that of its own base class.
shell.parse(jenkinsfile.text, 'Pipeline.groovy').run()
report.text = JsonOutput.toJson([calls: world.calls] + world.build)
